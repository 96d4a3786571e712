import { type CallOptions, equalNodes, type Node } from "@tvix/castore";
import { HashModulo } from "../content-address/hash-modulo.js";
import { contentAddress } from "../content-address.js";
import { StoreError } from "../errors.js";
import type { NarCalculation } from "../nar-calculation.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo } from "../path-info.js";
import { findUnknownReference } from "../pathinfoservice/find-unknown-reference.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { buildStorePath } from "../store-path/build.js";
import { sortedStorePaths } from "../store-path/sorted.js";
import type { StorePath } from "../store-path/store-path.js";

/** A tree that is stored, all of it, and is to become a store path. */
export interface Source {
  /** Of the store path; checked by `checkImportName()`. */
  readonly name: string;
  readonly node: Node;
  readonly nar: NarCalculation;
  /** Store paths whose digests occur in the NAR, in any order. */
  readonly found: readonly StorePath[];
  /**
   * Shows the bytes of the NAR, all of them, in order. Called only when the tree may refer to the path
   * that it came from.
   */
  visitNar(visit: (bytes: Uint8Array) => void): Promise<void>;
}

/** What is imported refers to a path that the store does not have. */
export class UnknownReferenceError extends StoreError {
  override readonly name: string = "UnknownReferenceError";
  readonly reference: StorePath;

  constructor(storePath: StorePath, reference: StorePath) {
    super(
      "MISSING_REFERENCE",
      `Cannot import ${storePath}: it refers to ${reference}, which is not in the store`,
    );
    this.reference = reference;
  }
}

/**
 * Publishes a tree under the store path that Nix gives to a source: addressed by the SHA-256 of its NAR,
 * and by what it refers to. What is known already with the same content is left as it is.
 *
 * @throws {@link UnknownReferenceError} when it refers to a path that `pathInfos` do not know: whoever
 *   takes a path takes all that it refers to
 */
export async function publishSource(
  pathInfos: PathInfoService,
  source: Source,
  options: CallOptions = {},
): Promise<PathInfo> {
  const pathInfo = await describeSource(source);
  const { storePath } = pathInfo;
  const known = await pathInfos.get(storePath.digestBytes(), options);
  if (known !== undefined && isSame(known, pathInfo)) return known;
  const unknown = await findUnknownReference(pathInfos, pathInfo, options);
  if (unknown !== undefined) throw new UnknownReferenceError(storePath, unknown);
  return await pathInfos.put(pathInfo, options);
}

/** As content-addressed paths of Nix are: references in order, the path itself among them if it occurs. */
async function describeSource(source: Source): Promise<PathInfo> {
  const { node, nar } = source;
  const { storePath, address } = (await addressModuloSelf(source)) ?? addressWithoutSelf(source);
  const references = sortedStorePaths(source.found);
  return PathInfo.of({ ...nar, storePath, node, references, contentAddress: address });
}

/** A tree that does not know its own path: what it refers to are other paths. */
function addressWithoutSelf({ name, nar, found }: Source): AddressedPath {
  const address = contentAddress("nar", NixHash.of("sha256", nar.narSha256));
  return { address, storePath: buildStorePath(name, address, { references: found }) };
}

interface AddressedPath {
  readonly address: ReturnType<typeof contentAddress>;
  readonly storePath: StorePath;
}

/**
 * The address of a tree that refers to itself. No tree can hold the path that follows from its plain
 * hash, but that of its hash without the references to itself, as `nix store make-content-addressed` makes
 * them: then it is the path that it came from, by the same name, and the hash proves it.
 */
async function addressModuloSelf({
  name,
  found,
  visitNar,
}: Source): Promise<AddressedPath | undefined> {
  for (const self of found.filter((path) => path.name === name)) {
    const modulo = new HashModulo("sha256", self);
    await visitNar((bytes) => void modulo.update(bytes));
    const address = contentAddress("nar", modulo.digest());
    const references = found.filter((path) => !path.equals(self));
    const storePath = buildStorePath(name, address, { references, selfReference: true });
    if (storePath.equals(self)) return { address, storePath };
  }
  return undefined;
}

function isSame(known: PathInfo, pathInfo: PathInfo): boolean {
  return (
    equalNodes(known.node, pathInfo.node) &&
    sortedStorePaths(known.references).join() === pathInfo.references.join()
  );
}
