import type { CallOptions, Node } from "@tvix/castore";
import { type IngestOptions, type IngestProgress, ingestPath } from "@tvix/castore/fs";
import { NarHasher } from "../nar/nar-hasher.js";
import { type CastoreServices, renderNar } from "../nar/renderer.js";
import type { NarCalculation, NarCalculationService } from "../nar-calculation.js";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { ReferenceScanner } from "../references/reference-scanner.js";
import type { StorePath } from "../store-path/store-path.js";
import { checkImportName, importName } from "./import-name.js";
import { publishSource } from "./publish-source.js";

/** Where an import puts things, and what knows NARs of trees that need not be read again. */
export interface ImportServices extends CastoreServices {
  readonly pathInfos: PathInfoService;
  readonly narCalculation: NarCalculationService;
}

export interface ImportPathOptions extends Omit<IngestOptions, "observer"> {
  /** The name of the store path; by default the last component of the path, see `importName()`. */
  readonly name?: string;
  /**
   * Store paths that the tree may refer to: those whose digests occur in its NAR, which holds names and
   * targets as well as content, become its references. None by default, as for `nix-store --add`.
   */
  readonly referenceCandidates?: readonly StorePath[];
  /**
   * Shows the NAR of the tree once more, in order; where it is not given, the tree is read from the
   * services. For services that keep nothing.
   */
  readonly visitNar?: NarVisitor;
}

/** Calls `visit` with all bytes of a NAR, in order. They are valid during the call only. */
type NarVisitor = (visit: (bytes: Uint8Array) => void) => Promise<void>;

/** What {@link importPath} made of a path. */
export interface ImportResult {
  readonly storePath: StorePath;
  readonly pathInfo: PathInfo;
  readonly node: Node;
  readonly progress: IngestProgress;
}

/**
 * Imports the file, directory or symbolic link at `path` and publishes it under the store path that
 * `nix-store --add` gives it, addressed by the SHA-256 of its NAR, and by those of
 * {@link ImportPathOptions.referenceCandidates} that it refers to. Bytes that are read from `path` are
 * searched on their way; those that need not be read again are taken from the services.
 *
 * The name is checked before anything is read. The path info is put last, when all that it stands
 * for is stored; one that is there already and has the same content is left as it is.
 *
 * @throws {@link InvalidStorePathError} when the name breaks the rule of store path names
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" for a name that ends in `.drv`
 * @throws {@link UnknownReferenceError} when the tree refers to a path that is not known
 */
export async function importPath(
  services: ImportServices,
  path: string | Uint8Array,
  options: ImportPathOptions = {},
): Promise<ImportResult> {
  const {
    name: givenName,
    referenceCandidates = [],
    visitNar: givenVisitor,
    ...ingestOptions
  } = options;
  const name = givenName === undefined ? importName(path) : checkImportName(givenName);
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  const scanner = ReferenceScanner.of(referenceCandidates);
  const hasher = new NarHasher({ onBytes: (bytes) => scanner.push(bytes) });
  const ingested = await ingestPath(services, path, { ...ingestOptions, observer: hasher });
  const { node, observed, progress } = ingested;
  const nar = await narOf(services.narCalculation, node, observed ? hasher : undefined, call);
  const visitNar = givenVisitor ?? ((visit) => visitStoredNar(services, node, visit, call));
  if (!observed && !scanner.complete) await visitNar((bytes) => scanner.push(bytes));
  const source = { name, node, nar, found: scanner.found(), visitNar };
  const pathInfo = await publishSource(services.pathInfos, source, call);
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

async function visitStoredNar(
  services: CastoreServices,
  node: Node,
  visit: (bytes: Uint8Array) => void,
  call: CallOptions,
): Promise<void> {
  for await (const bytes of renderNar(services, node, call)) visit(bytes);
}
