import { CHUNK_BLOCK_BYTES } from "../chunking/chunker.js";
import { copyInto } from "../shared-copy.js";
import type { BlockPool } from "./block-pool.js";

/** Copies from this length on go into a block that is used again. */
const MIN_POOLED_BYTES = CHUNK_BLOCK_BYTES / 8;

/** Payloads in shared memory. */
export interface SharedPayloads {
  readonly memory: SharedArrayBuffer;
  readonly offsets: number[];
  readonly lengths: number[];
  /** To be called when nobody looks at them any more; a copy that fails is left to the garbage collector. */
  release(): void;
}

/** Where the payloads are in shared memory: where they lie, or a copy. */
export function inSharedMemory(payloads: readonly Uint8Array[], blocks: BlockPool): SharedPayloads {
  const lengths = payloads.map((payload) => payload.byteLength);
  const first = payloads[0]?.buffer;
  if (first instanceof SharedArrayBuffer && payloads.every((payload) => payload.buffer === first)) {
    const offsets = payloads.map((payload) => payload.byteOffset);
    return { memory: first, offsets, lengths, release: () => {} };
  }
  const bytes = lengths.reduce((sum, length) => sum + length, 0);
  const isPooled = bytes >= MIN_POOLED_BYTES && bytes <= CHUNK_BLOCK_BYTES;
  const memory = isPooled ? blocks.take().buffer : new SharedArrayBuffer(bytes);
  const copy = new Uint8Array(memory);
  let end = 0;
  const offsets = payloads.map((payload) => {
    const start = end;
    copyInto(copy, start, payload);
    end += payload.byteLength;
    return start;
  });
  return { memory, offsets, lengths, release: () => blocks.give(copy) };
}
