import fs from "node:fs";
import path from "node:path";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { LocalStore, type LocalStoreOptions } from "../localstore/local-store.js";
import type { Directory } from "../nodes/directory.js";
import { fileNode } from "../nodes/node.js";
import { directoryOf } from "./directory-builders.js";
import { seededBytes } from "./seeded-random.js";
import { collect } from "./sources.js";

/** What a {@link writeSampleStore} holds. */
export interface Sample {
  readonly blobs: readonly { readonly digest: B3Digest; readonly bytes: Uint8Array }[];
  readonly directories: readonly { readonly digest: B3Digest; readonly directory: Directory }[];
  readonly pathInfos: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
}

/** Fills a store with some of everything, a blob of several chunks and replaced path infos included. */
export async function writeSampleStore(
  directory: string,
  options: LocalStoreOptions = {},
): Promise<Sample> {
  await using store = await LocalStore.open(directory, { packLimit: 400_000, ...options });
  const contents = [
    ...Array.from({ length: 12 }, (_, i) => seededBytes(i, 40 * i * i)),
    ...Array.from({ length: 6 }, (_, i) => new Uint8Array(500 * i + 200).fill(i)),
    seededBytes(99, 1_000_000),
    new Uint8Array(900_000).map((_, i) => (i >> 8) ^ i),
  ];
  const blobs = [];
  for (const bytes of contents) blobs.push({ digest: await store.blobs.put([bytes]), bytes });
  const directories = [];
  for (const { digest, bytes } of blobs) {
    const made = directoryOf({ file: fileNode(digest, BigInt(bytes.byteLength)) });
    directories.push({ digest: await store.directories.put(made), directory: made });
  }
  const pathInfos = [];
  for (const round of [0, 1]) {
    for (let i = 0; i < 4; i++) {
      const [key, value] = [new Uint8Array(20).fill(i), seededBytes(100 * round + i, 300)];
      await store.pathInfoRecords.put(key, value);
      if (round === 1) pathInfos.push({ key, value });
    }
  }
  return { blobs, directories, pathInfos };
}

/** What came of reading one thing: its bytes, nothing, or an error. */
export type ReadResult = Uint8Array | undefined | CastoreError;

/** Reads all of `sample` from the store, each thing on its own, by name. */
export async function readSample(
  store: LocalStore,
  { blobs, pathInfos, directories }: Sample,
): Promise<Map<string, { readonly expected: Uint8Array; readonly result: ReadResult }>> {
  const results = new Map<string, { expected: Uint8Array; result: ReadResult }>();
  for (const { digest, bytes } of blobs) {
    const result = await attempt(async () => {
      const reader = await store.blobs.openRead(digest);
      return reader && Buffer.concat(await collect(reader.stream()));
    });
    results.set(digest.toString(), { expected: bytes, result });
  }
  for (const { digest } of directories) {
    const result = await attempt(
      async () => (await store.directories.get(digest)) && digest.toBytes(),
    );
    results.set(digest.toString(), { expected: digest.toBytes(), result });
  }
  for (const { key, value } of pathInfos) {
    const result = await attempt(() => store.pathInfoRecords.get(key));
    results.set(`path info ${Buffer.from(key).toString("hex")}`, { expected: value, result });
  }
  return results;
}

async function attempt(read: () => Promise<Uint8Array | undefined>): Promise<ReadResult> {
  try {
    return await read();
  } catch (error) {
    if (CastoreError.is(error)) return error;
    throw error;
  }
}

/** The files of the packs of a store. */
export function packFilesOf(directory: string): string[] {
  const packs = path.join(directory, "packs");
  return fs
    .readdirSync(packs)
    .sort()
    .map((name) => path.join(packs, name));
}

/** Flips one bit of a file. */
export function flipBit(file: string, bit: number): void {
  const fd = fs.openSync(file, "r+");
  try {
    const byte = new Uint8Array(1);
    fs.readSync(fd, byte, 0, 1, bit >>> 3);
    byte[0] = (byte[0] ?? 0) ^ (1 << (bit & 7));
    fs.writeSync(fd, byte, 0, 1, bit >>> 3);
  } finally {
    fs.closeSync(fd);
  }
}
