import { CastoreError, equalBytes, type Node } from "@tvix/castore";
import type { CheckFinding } from "@tvix/castore/local";
import {
  buildStorePath,
  encodeNixBase32,
  type PathInfo,
  RenderedNarCalculation,
  StoreError,
} from "@tvix/store";
import type { OpenStore } from "./open.js";

export interface CheckPathInfosOptions {
  readonly signal: AbortSignal;
  /** Whether to render every NAR and compare it; as dear as reading every store path. */
  readonly nars: boolean;
}

/**
 * Checks what castore cannot: that each path info can be read, that its content is stored, that the
 * store path follows from the content address, and, on demand, that its NAR is what it says.
 */
export async function* checkPathInfos(
  store: OpenStore,
  options: CheckPathInfosOptions,
): AsyncGenerator<CheckFinding, void, undefined> {
  for await (const key of outputHashes(store, options.signal)) {
    const problem = await problemOf(store, key, options);
    if (problem === undefined) continue;
    const subject = encodeNixBase32(key);
    yield {
      type: "reference",
      subject,
      message: `The path info of ${subject} is wrong: ${problem}`,
    };
  }
}

/** A record that cannot be read ends the listing; castore's own check names it. */
async function* outputHashes(store: OpenStore, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const { key } of store.local.pathInfoRecords.list({ signal })) yield key;
  } catch (error) {
    if (!CastoreError.is(error, "CORRUPT")) throw error;
  }
}

async function problemOf(
  store: OpenStore,
  outputHash: Uint8Array,
  { signal, nars }: CheckPathInfosOptions,
): Promise<string | undefined> {
  try {
    const pathInfo = await store.pathInfos.get(outputHash, { signal });
    if (pathInfo === undefined) return undefined;
    const problem = (await rootProblem(store, pathInfo.node)) ?? addressProblem(pathInfo);
    if (problem !== undefined || !nars) return problem;
    return await narProblem(store, pathInfo, signal);
  } catch (error) {
    if (!StoreError.is(error) && !CastoreError.is(error)) throw error;
    return error.message;
  }
}

async function rootProblem(store: OpenStore, node: Node): Promise<string | undefined> {
  if (node.type === "symlink") return undefined;
  const isStored =
    node.type === "directory"
      ? (await store.local.directories.get(node.digest)) !== undefined
      : await store.local.blobs.has(node.digest);
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
  store: OpenStore,
  pathInfo: PathInfo,
  signal: AbortSignal,
): Promise<string | undefined> {
  const nar = await new RenderedNarCalculation(store.local).calculateNar(pathInfo.node, { signal });
  const isRight = nar.narSize === pathInfo.narSize && equalBytes(nar.narSha256, pathInfo.narSha256);
  return isRight ? undefined : "its NAR has another size or hash";
}
