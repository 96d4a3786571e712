import { type CallOptions, equalNodes, type Node } from "@tvix/castore";
import { type IngestOptions, type IngestProgress, ingestPath } from "@tvix/castore/fs";
import { contentAddress } from "../content-address.js";
import { NarHasher } from "../nar/nar-hasher.js";
import type { CastoreServices } from "../nar/renderer.js";
import type { NarCalculation, NarCalculationService } from "../nar-calculation.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo } from "../path-info.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { buildStorePath } from "../store-path/build.js";
import type { StorePath } from "../store-path/store-path.js";
import { checkImportName, importName } from "./import-name.js";

/** Where an import puts things, and what knows NARs of trees that need not be read again. */
export interface ImportServices extends CastoreServices {
  readonly pathInfos: PathInfoService;
  readonly narCalculation: NarCalculationService;
}

export interface ImportPathOptions extends Omit<IngestOptions, "observer"> {
  /** The name of the store path; by default the last component of the path, see `importName()`. */
  readonly name?: string;
}

/** What {@link importPath} made of a path. */
export interface ImportResult {
  readonly storePath: StorePath;
  readonly pathInfo: PathInfo;
  readonly node: Node;
  readonly progress: IngestProgress;
}

/**
 * Imports the file, directory or symbolic link at `path` and publishes it under the store path that
 * `nix-store --add` gives it: addressed by the SHA-256 of its NAR, without references.
 *
 * The name is checked before anything is read. The path info is put last, when all that it stands
 * for is stored; one that is there already and has the same content is left as it is.
 *
 * @throws {@link InvalidStorePathError} when the name breaks the rule of store path names
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" for a name that ends in `.drv`
 */
export async function importPath(
  services: ImportServices,
  path: string | Uint8Array,
  options: ImportPathOptions = {},
): Promise<ImportResult> {
  const { name: givenName, ...ingestOptions } = options;
  const name = givenName === undefined ? importName(path) : checkImportName(givenName);
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  const hasher = new NarHasher();
  const ingested = await ingestPath(services, path, { ...ingestOptions, observer: hasher });
  const { node, observed, progress } = ingested;
  const nar = await narOf(services.narCalculation, node, observed ? hasher : undefined, call);
  const pathInfo = await publish(services.pathInfos, describeSource(name, node, nar), call);
  return { storePath: pathInfo.storePath, pathInfo, node, progress };
}

/** What the hasher saw, if it saw the tree; what is known of the tree otherwise. */
async function narOf(
  calculation: NarCalculationService,
  node: Node,
  hasher: NarHasher | undefined,
  call: CallOptions,
): Promise<NarCalculation> {
  if (hasher === undefined) return calculation.calculateNar(node, call);
  const nar = hasher.finish();
  await calculation.remember(node, nar, call);
  return nar;
}

/** The path info of `node` as a source: addressed by its NAR, without references. */
function describeSource(name: string, node: Node, nar: NarCalculation): PathInfo {
  const { narSize, narSha256 } = nar;
  const address = contentAddress("nar", NixHash.of("sha256", narSha256));
  const storePath = buildStorePath(name, address);
  return PathInfo.of({ storePath, node, narSize, narSha256, contentAddress: address });
}

/** Puts `pathInfo`, unless what is there has the same content: that may have signatures. */
async function publish(
  pathInfos: PathInfoService,
  pathInfo: PathInfo,
  call: CallOptions,
): Promise<PathInfo> {
  const known = await pathInfos.get(pathInfo.storePath.digestBytes(), call);
  if (known !== undefined && equalNodes(known.node, pathInfo.node)) return known;
  return pathInfos.put(pathInfo, call);
}
