import { type CallOptions, CastoreError, equalBytes, type Node } from "@tvix/castore";
import { StoreError } from "../errors.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import type { CastoreServices } from "../nar/renderer.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { buildStorePath } from "../store-path/build.js";
import type { StoreFinding } from "./store-maintenance.js";

/** What is looked at. */
export interface CheckedServices {
  readonly castore: CastoreServices;
  readonly pathInfos: PathInfoService;
  /** The output hashes of all path infos. */
  outputHashes(options: CallOptions): AsyncIterable<Uint8Array>;
}

export interface CheckPathInfosOptions extends CallOptions {
  /** Whether to render every NAR and compare it. */
  readonly nars: boolean;
}

/**
 * Checks what castore cannot: that each path info can be read, that its content is stored, that the
 * store path follows from the content address, and, on demand, that its NAR is what it says.
 */
export async function* checkPathInfos(
  services: CheckedServices,
  options: CheckPathInfosOptions,
): AsyncGenerator<StoreFinding, void, undefined> {
  for await (const key of readable(services.outputHashes(options))) {
    const problem = await problemOf(services, key, options);
    if (problem === undefined) continue;
    const subject = encodeNixBase32(key);
    const message = `The path info of ${subject} is wrong: ${problem}`;
    yield { type: "reference", subject, message };
  }
}

/** A record that cannot be read ends the listing; castore's own check names it. */
async function* readable(keys: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* keys;
  } catch (error) {
    if (!CastoreError.is(error, "CORRUPT")) throw error;
  }
}

async function problemOf(
  services: CheckedServices,
  outputHash: Uint8Array,
  options: CheckPathInfosOptions,
): Promise<string | undefined> {
  try {
    const pathInfo = await services.pathInfos.get(outputHash, options);
    if (pathInfo === undefined) return undefined;
    const problem =
      (await rootProblem(services.castore, pathInfo.node, options)) ?? addressProblem(pathInfo);
    if (problem !== undefined || !options.nars) return problem;
    return await narProblem(services.castore, pathInfo, options);
  } catch (error) {
    if (!StoreError.is(error) && !CastoreError.is(error)) throw error;
    return error.message;
  }
}

async function rootProblem(
  { blobs, directories }: CastoreServices,
  node: Node,
  options: CallOptions,
): Promise<string | undefined> {
  if (node.type === "symlink") return undefined;
  const isStored =
    node.type === "directory"
      ? (await directories.get(node.digest, options)) !== undefined
      : await blobs.has(node.digest, options);
  return isStored ? undefined : `its content ${node.digest} is not stored`;
}

function addressProblem({ storePath, contentAddress, references }: PathInfo): string | undefined {
  if (contentAddress === undefined) return undefined;
  const others = references.filter((reference) => !reference.equals(storePath));
  const expected = buildStorePath(storePath.name, contentAddress, {
    references: others,
    selfReference: others.length < references.length,
  });
  return expected.equals(storePath) ? undefined : `by its content address it is ${expected}`;
}

async function narProblem(
  castore: CastoreServices,
  pathInfo: PathInfo,
  options: CallOptions,
): Promise<string | undefined> {
  const nar = await new RenderedNarCalculation(castore).calculateNar(pathInfo.node, options);
  const isRight = nar.narSize === pathInfo.narSize && equalBytes(nar.narSha256, pathInfo.narSha256);
  return isRight ? undefined : "its NAR has another size or hash";
}
