import { Chunker, chunkSizes, cutChunks } from "@tvix/castore";
import { type Figure, secondsPerCall } from "./sample.js";
import { seededBytes } from "./seeded-bytes.js";

const MIB = 1024 * 1024;
const BYTES = 32 * MIB;

/** Pieces in which a large file is read. */
const PIECE_BYTES = MIB;

const GROUP = "FastCDC, average 256 KiB, MB/s";

/** How fast cut points are found. */
export function* chunkingFigures(): Generator<Figure, void, undefined> {
  const inputs = [
    ["random bytes", seededBytes("chunking", BYTES)],
    ["zeros", new Uint8Array(BYTES)],
  ] as const;
  const sizes = chunkSizes();
  for (const [row, bytes] of inputs) {
    const rate = (work: () => void): number => BYTES / secondsPerCall(work) / 1e6;
    const whole = rate(() => {
      for (let at = 0; at < BYTES; at += 2 * MIB) {
        cutChunks(bytes.subarray(at, at + 2 * MIB), sizes, true);
      }
    });
    yield { group: GROUP, row, column: "cutChunks() of 2 MiB", value: whole };
    const stream = rate(() => {
      chunkAll(bytes);
    });
    yield { group: GROUP, row, column: "Chunker, copies included", value: stream };
  }
}

function chunkAll(bytes: Uint8Array): number {
  // Blocks are used again, as the local store does.
  const blocks = [new Uint8Array(2 * MIB), new Uint8Array(2 * MIB)];
  let next = 0;
  const chunker = new Chunker(chunkSizes(), () => blocks[next++ % 2] as Uint8Array);
  let chunks = 0;
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    for (const { lengths } of chunker.push(bytes.subarray(at, at + PIECE_BYTES))) {
      chunks += lengths.length;
    }
  }
  for (const { lengths } of chunker.finish()) chunks += lengths.length;
  return chunks;
}
