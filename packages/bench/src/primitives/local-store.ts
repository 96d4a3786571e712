import { rmSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { type B3Digest, blake3, readBlob } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { summarize } from "../statistics.js";
import { type Figure, secondsPerAsyncCall } from "./sample.js";
import { seededBytes } from "./seeded-bytes.js";

const KIB = 1024;

/** Blobs that are stored, in batches of 1000 or what 16 MiB hold. All are durable in the end. */
const WRITES = [
  { row: "30,000 blobs of 4 KiB", blobs: 30_000, bytes: 4 * KIB, batch: 1000 },
  { row: "1,024 blobs of 128 KiB", blobs: 1024, bytes: 128 * KIB, batch: 128 },
];

/** How many writes are under way at once, as in an import. */
const BATCHES_AT_ONCE = 4;

const REPETITIONS = 3;
const LOOKUPS = 30_000;
const LOOKUPS_AT_ONCE = 1000;
const READS = 5000;

/** What storing, finding and reading blobs costs, in stores made in `folder`. */
export async function* localStoreFigures(folder: string): AsyncGenerator<Figure, void, undefined> {
  for (const { row, blobs, bytes, batch } of WRITES) {
    const content = seededBytes("packs", blobs * bytes);
    const parts = Array.from({ length: blobs }, (_, index) =>
      content.subarray(index * bytes, (index + 1) * bytes),
    );
    const seconds: number[] = [];
    for (let i = 0; i < REPETITIONS; i++) {
      seconds.push(await write(join(folder, `store-${bytes}-${i}`), parts, batch));
    }
    const { median } = summarize(seconds);
    const group = "Local store: appending what does not compress, durable";
    yield { group, row, column: "blobs/s", value: blobs / median };
    yield { group, row, column: "MB/s", value: content.byteLength / median / 1e6 };
  }
  const { bytes, blobs } = WRITES[0] as (typeof WRITES)[number];
  yield* readFigures(join(folder, `store-${bytes}-0`), blobs);
  rmSync(folder, { recursive: true });
}

async function write(
  directory: string,
  parts: readonly Uint8Array[],
  batch: number,
): Promise<number> {
  await using store = await LocalStore.open(directory);
  // Starting the threads is not what is measured.
  await store.blobs.putMany([new Uint8Array(1)]);
  const started = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < parts.length) {
      const start = next;
      next += batch;
      await store.blobs.putMany(parts.slice(start, start + batch));
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, worker));
  return (performance.now() - started) / 1000;
}

async function* readFigures(
  directory: string,
  blobs: number,
): AsyncGenerator<Figure, void, undefined> {
  const group = "Local store: look-ups among 30,000 blobs, a second";
  await using store = await LocalStore.open(directory, { readOnly: true });
  const digests = await digestsOf(store, blobs);
  const known = shuffled(digests).slice(0, LOOKUPS);
  const figure = async (row: string, count: number, work: () => Promise<void>): Promise<Figure> => {
    const value = count / (await secondsPerAsyncCall(work, REPETITIONS));
    return { group, row, column: "a second", value };
  };
  yield await figure("has(), one by one", known.length, async () => {
    for (const digest of known) await store.blobs.has(digest);
  });
  yield await figure("hasMany(), 1000 at once", known.length, async () => {
    for (let at = 0; at < known.length; at += LOOKUPS_AT_ONCE) {
      await store.blobs.hasMany(known.slice(at, at + LOOKUPS_AT_ONCE));
    }
  });
  const reads = known.slice(0, READS);
  yield await figure("reading 4 KiB, verified", reads.length, async () => {
    for (const digest of reads) await readBlob(store.blobs, digest, { maxBytes: 4 * KIB });
  });
}

/** The digests of the blobs that {@link write} stored. */
async function digestsOf(store: LocalStore, blobs: number): Promise<B3Digest[]> {
  const bytes = 4 * KIB;
  const content = seededBytes("packs", blobs * bytes);
  const digests = Array.from({ length: blobs }, (_, index) =>
    blake3(content.subarray(index * bytes, (index + 1) * bytes)),
  );
  const found = await store.blobs.hasMany(digests);
  if (!found.every(Boolean)) throw new Error("Cannot measure look-ups: a stored blob is not there");
  return digests;
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = new DataView(seededBytes("order", items.length * 4).buffer);
  return items
    .map((item, index) => ({ item, key: order.getUint32(index * 4) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
