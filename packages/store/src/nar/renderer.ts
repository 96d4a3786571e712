import {
  type BlobService,
  type CallOptions,
  copyBytes,
  type DirectoryService,
  type Node,
} from "@tvix/castore";
import type { NarCalculation } from "../nar-calculation.js";
import { createSha256 } from "../sha256/sha256.js";
import { expectedBytesOf, type NarBlock, type NarBlocksOptions, narBlocks } from "./nar-blocks.js";
import { type NarStepSource, NarWalk } from "./nar-steps.js";

/** Where the content of trees is. */
export interface CastoreServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/**
 * Renders the tree `root` as a NAR. One-shot; pieces belong to the consumer. Memory stays bounded
 * whatever the tree: some 12 MiB and the Directories on the way down.
 *
 * @throws `NarRenderError` when part of the tree is missing or has another size than stated; what
 *   was yielded until then is the beginning of a NAR that cannot be completed
 */
export async function* renderNar(
  services: CastoreServices,
  root: Node,
  options: CallOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const block of blocksOf(services, root, options)) yield takeBlock(block);
}

/** What may wait for the write before it to end. */
const GATHERED_BYTES = 4 * 1024 * 1024;

/**
 * Writes the NAR of the tree `root`: {@link renderNar} without a copy of all bytes. While some of it is
 * being written, more is made and gathered for the next write; some 20 MiB at most in all.
 *
 * @param write - called with pieces, in order, after the call before has ended; they are valid until
 *   its own has
 * @throws `NarRenderError` like {@link renderNar}, and whatever `write` throws
 */
export async function writeNar(
  services: CastoreServices,
  root: Node,
  write: (pieces: readonly Uint8Array[]) => Promise<void>,
  options: CallOptions = {},
): Promise<void> {
  let gathered: NarBlock[] = [];
  let gatheredBytes = 0;
  let isWriting = false;
  let writing: Promise<void> = Promise.resolve();
  const writeGathered = (): void => {
    const blocks = gathered;
    gathered = [];
    gatheredBytes = 0;
    isWriting = true;
    writing = write(blocks.map(({ bytes }) => bytes)).then(() => {
      isWriting = false;
      for (const { release } of blocks) release();
    });
    // It is awaited later; until then a failure must not count as unhandled.
    writing.catch(() => undefined);
  };
  for await (const block of blocksOf(services, root, options)) {
    gathered.push(block);
    gatheredBytes += block.bytes.byteLength;
    if (gatheredBytes >= GATHERED_BYTES) await writing;
    if (!isWriting) writeGathered();
  }
  await writing;
  if (gathered.length > 0) writeGathered();
  await writing;
}

/**
 * Renders the steps of a walk, up to the end of the NAR, or up to the end of the part that is wanted
 * of the last file. Reads ahead.
 *
 * @throws `NarRenderError` like {@link renderNar}
 */
export async function* renderSteps(
  blobs: BlobService,
  walk: (options: CallOptions) => NarStepSource,
  options: NarBlocksOptions = {},
): AsyncGenerator<NarBlock, void, undefined> {
  const ended = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
  let isComplete = false;
  try {
    for await (const block of narBlocks(blobs, walk({ signal }), { ...options, signal })) {
      signal.throwIfAborted();
      yield block;
    }
    isComplete = true;
  } finally {
    // Reads that are ahead of the place where the consumer stopped are of no use any more.
    if (!isComplete) ended.abort();
  }
}

/**
 * Size and SHA-256 of the NAR of `root`.
 *
 * @throws `NarRenderError` like {@link renderNar}
 */
export async function calculateNar(
  services: CastoreServices,
  root: Node,
  options: CallOptions = {},
): Promise<NarCalculation> {
  const sha256 = createSha256();
  let narSize = 0n;
  for await (const { bytes, release } of blocksOf(services, root, options)) {
    sha256.update(bytes);
    narSize += BigInt(bytes.byteLength);
    release();
  }
  return { narSize, narSha256: sha256.digest() };
}

/** The bytes of a block, for somebody who may keep them. */
export function takeBlock({ bytes, isLasting, release }: NarBlock): Uint8Array {
  if (isLasting) return bytes;
  const copy = copyBytes(bytes);
  release();
  return copy;
}

function blocksOf(
  { blobs, directories }: CastoreServices,
  root: Node,
  options: CallOptions,
): AsyncGenerator<NarBlock, void, undefined> {
  const walk = (callOptions: CallOptions) => new NarWalk(directories, root, callOptions);
  return renderSteps(blobs, walk, { ...options, expectedBytes: expectedBytesOf(root) });
}
