import { closeSync, mkdirSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Files in one folder. */
const FILES_PER_FOLDER = 50;

/** Sizes of the files, over and over: like those of sources and documents, one in fifty above 128 KiB. */
const SMALL_SIZES: readonly number[] = [150, 700, 1800, 3000, 4500, 7000, 12_000, 30_000];
const LARGE_BYTES = 500_000;

/** How many files there are. */
export interface WarmTreeOptions {
  readonly files: number;
}

/**
 * Makes a tree in a new folder that has nothing in common with T1: pieces of two files of T2. A daemon that
 * has imported it has run what an import takes, as daemons have that were not started a moment ago.
 */
export function makeWarmTree(
  folder: string,
  large: string,
  { files }: WarmTreeOptions = { files: 6000 },
): void {
  const sources = ["text.log", "random.bin"].map((name) => openSync(join(large, name), "r"));
  try {
    let offset = 0;
    for (let i = 0; i < files; i++) {
      const parent = join(folder, `folder-${Math.floor(i / FILES_PER_FOLDER)}`);
      if (i % FILES_PER_FOLDER === 0) mkdirSync(parent, { recursive: true });
      const size = sizeOf(i);
      const bytes = new Uint8Array(size);
      // Every fourth does not compress.
      const source = sources[i % 4 === 3 ? 1 : 0] as number;
      const length = readSync(source, bytes, 0, size, offset);
      writeFileSync(join(parent, `file-${i}`), bytes.subarray(0, length));
      offset += size;
    }
  } finally {
    for (const source of sources) closeSync(source);
  }
}

function sizeOf(i: number): number {
  if (i % FILES_PER_FOLDER === FILES_PER_FOLDER - 1) return LARGE_BYTES;
  return SMALL_SIZES[i % SMALL_SIZES.length] as number;
}
