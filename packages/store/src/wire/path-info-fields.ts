import { equalBytes, type Node, type PathComponent } from "@tvix/castore";
import { InvalidPathInfoError, PathInfo } from "../path-info.js";
import { SHA256_LENGTH } from "../sha256/sha256.js";
import { Signature } from "../signature/signature.js";
import { STORE_PATH_DIGEST_LENGTH, StorePath } from "../store-path/store-path.js";
import { attempt } from "./attempt.js";
import { contentAddressFromFields } from "./content-address-codec.js";

/** The fields of the message NARInfo, whose meaning has not been checked. */
export interface RawNarInfo {
  readonly narSize: bigint;
  readonly narSha256: Uint8Array;
  readonly signatures: readonly { readonly name: string; readonly data: Uint8Array }[];
  readonly referenceNames: readonly (string | Uint8Array)[];
  readonly deriver?:
    | { readonly name: string | Uint8Array; readonly digest: Uint8Array }
    | undefined;
  readonly ca?: { readonly type: number; readonly digest: Uint8Array } | undefined;
}

/** The fields of the message PathInfo except its node. */
export interface RawPathInfo {
  readonly references: readonly Uint8Array[];
  readonly narinfo?: RawNarInfo | undefined;
}

/**
 * The path info that the fields describe. The rules and their order are those of tvix since October
 * 2024, and one more at the end: a NAR size that Nix can hold.
 *
 * @param readNode - called when it is the node's turn
 * @throws {@link InvalidPathInfoError} with the reason
 * @internal
 */
export function pathInfoFromFields(
  { references: digests, narinfo }: RawPathInfo,
  readNode: () => { readonly name: PathComponent; readonly node: Node },
): PathInfo {
  if (narinfo === undefined) throw new InvalidPathInfoError("missing-narinfo", "it has no narinfo");
  const references = parseReferences(digests, narinfo.referenceNames);
  const { name, node } = readNode();
  const storePath = attempt("invalid-node-name", "the name of its node is not a store path", () =>
    StorePath.parse(name.toBytes()),
  );
  const { length } = narinfo.narSha256;
  if (length !== SHA256_LENGTH) {
    throw new InvalidPathInfoError(
      "nar-sha256-length",
      `the NAR hash has ${length} bytes, not ${SHA256_LENGTH}`,
    );
  }
  const deriver = parseDeriver(narinfo);
  const signatures = narinfo.signatures.map((signature) =>
    attempt("signature-length", "a signature has the wrong length", () =>
      Signature.of(signature.name, signature.data),
    ),
  );
  const contentAddress = narinfo.ca && contentAddressFromFields(narinfo.ca);
  const { narSize, narSha256 } = narinfo;
  return PathInfo.of({
    storePath,
    node,
    references,
    narSize,
    narSha256,
    signatures,
    deriver,
    contentAddress,
  });
}

function parseReferences(
  digests: readonly Uint8Array[],
  names: readonly (string | Uint8Array)[],
): readonly StorePath[] {
  digests.forEach((digest, i) => {
    if (digest.byteLength === STORE_PATH_DIGEST_LENGTH) return;
    throw new InvalidPathInfoError(
      "reference-length",
      `reference ${i} has ${digest.byteLength} bytes, not ${STORE_PATH_DIGEST_LENGTH}`,
    );
  });
  if (names.length !== digests.length) {
    throw new InvalidPathInfoError(
      "reference-count",
      `it has ${digests.length} references but ${names.length} reference names`,
    );
  }
  return names.map((name, i) => {
    const storePath = attempt("reference-name", `name ${i} of its references is invalid`, () =>
      StorePath.parse(name),
    );
    if (!equalBytes(storePath.digestBytes(), digests[i] as Uint8Array)) {
      throw new InvalidPathInfoError(
        "reference-mismatch",
        `reference ${i} has another digest than its name ${storePath.baseName}`,
      );
    }
    return storePath;
  });
}

function parseDeriver({ deriver }: RawNarInfo): StorePath | undefined {
  if (deriver === undefined) return undefined;
  return attempt("invalid-deriver", "its deriver is invalid", () =>
    StorePath.of(deriver.digest, deriver.name),
  );
}
