import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type B3Digest,
  chunkSizes,
  Directory,
  type DirectoryEntry,
  fileNode,
  PathComponent,
} from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { expectSameBytes, SeededRandom, seededBytes } from "@tvix/castore/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT_NODE_ID } from "../file-system.js";
import { FileSystemClient } from "../testing/file-system-client.js";
import { CastoreFileSystem, type CastoreFileSystemOptions } from "./castore-file-system.js";

const LARGE = seededBytes(1, 5_000_000);
/** Some are in one record, some in chunks, and none is as long as another. */
const SMALL = Array.from({ length: 300 }, (_, i) => seededBytes(i + 2, (i * i * 7) % 60_001));
const MIDDLE = [100_000, 131_072, 262_144, 524_288, 524_289, 700_001].map((length) =>
  seededBytes(length, length),
);

let directory: string;
let store: LocalStore;
let root: B3Digest;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "castore-file-system-"));
  store = await LocalStore.open(directory);
  const contents = [LARGE, ...SMALL, ...MIDDLE];
  const digests = await store.blobs.putMany(contents);
  const entries = contents.map(
    (content, i): DirectoryEntry => ({
      name: PathComponent.parse(nameOf(i)),
      node: fileNode(digests[i] as B3Digest, BigInt(content.byteLength)),
    }),
  );
  root = await store.directories.put(Directory.fromEntries(entries));
});

afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

function nameOf(i: number): string {
  return `file ${String(i).padStart(4, "0")}`;
}

function client(options?: CastoreFileSystemOptions): FileSystemClient {
  const { blobs, directories } = store;
  return new FileSystemClient(new CastoreFileSystem({ root, blobs, directories }, options));
}

/** Reads a file from front to back in pieces of a kernel's length. */
async function readAll(files: FileSystemClient, nodeId: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const part = await files.read(nodeId, at, 131_072);
    if (part.byteLength === 0) return Buffer.concat(parts);
    parts.push(part);
    at += part.byteLength;
  }
}

describe("CastoreFileSystem over a local store", () => {
  it("reads every file as it was stored, one after the other", async () => {
    const files = client();
    for (const [i, content] of [LARGE, ...SMALL, ...MIDDLE].entries()) {
      const { nodeId, attributes } = await files.walk(nameOf(i));
      expect(attributes?.size).toBe(content.byteLength);
      expectSameBytes(await readAll(files, nodeId), content);
    }
  });

  it("reads all files at the same time, with little memory for content", async () => {
    const files = client({ contentCacheBytes: 300_000 });
    await Promise.all(
      [LARGE, ...SMALL, ...MIDDLE].map(async (content, i) => {
        const { nodeId } = await files.walk(nameOf(i));
        expectSameBytes(await readAll(files, nodeId), content);
      }),
    );
  });

  it.each([
    ["much", undefined],
    ["little", 700_000],
    ["no", 0],
  ])("reads any part of a file of many chunks with %s memory for content", async (_, bytes) => {
    const files = client(bytes === undefined ? {} : { contentCacheBytes: bytes });
    const { nodeId } = await files.walk(nameOf(0));
    const random = new SeededRandom(7);
    for (let i = 0; i < 150; i++) {
      const offset = random.below(LARGE.byteLength + 1000);
      const size = random.below(random.pick([16, 4096, 131_072, 1_048_576]));
      const expected = LARGE.subarray(offset, offset + size);
      expectSameBytes(await files.read(nodeId, offset, size), expected);
    }
  });

  it("reads across every border between chunks", async () => {
    const files = client();
    const { nodeId, attributes } = await files.walk(nameOf(0));
    const entry = (await store.directories.get(root))?.entries[0];
    const digest = entry?.node.type === "file" ? entry.node.digest : root;
    const chunks = (await store.blobs.chunks(digest)) ?? [];
    expect(chunks.length).toBeGreaterThan((attributes?.size ?? 0) / chunkSizes().max - 1);
    let border = 0;
    for (const { size } of chunks) {
      border += size;
      for (const [before, after] of [
        [1, 1],
        [0, 10],
        [10, 0],
        [4096, 4096],
      ] as const) {
        const expected = LARGE.subarray(border - before, border + after);
        expectSameBytes(await files.read(nodeId, border - before, before + after), expected);
      }
    }
    expect(border).toBe(LARGE.byteLength);
  });

  it("reads a file in order by several readers at different places", async () => {
    const files = client();
    const { nodeId } = await files.walk(nameOf(0));
    const starts = [0, 1_500_000, 3_000_000];
    for (let i = 0; i < 12; i++) {
      for (const start of starts) {
        const offset = start + i * 100_000;
        const expected = LARGE.subarray(offset, offset + 100_000);
        expectSameBytes(await files.read(nodeId, offset, 100_000), expected);
      }
    }
  });

  it.each([256, 5, 3, 1])(
    "reads a file by readers that begin one after the other, with %s MiB for content",
    async (mib) => {
      const files = client({ contentCacheBytes: mib * 1024 * 1024 });
      const { nodeId } = await files.walk(nameOf(0));
      const readFrom = async (reader: number): Promise<void> => {
        for (let i = 0; i < 5 * reader; i++) await new Promise(setImmediate);
        for (let at = 0; at < LARGE.byteLength; at += 100_000) {
          const expected = LARGE.subarray(at, at + 100_000);
          expectSameBytes(await files.read(nodeId, at, 100_000), expected);
        }
      };
      await Promise.all([0, 1, 2, 3].map(readFrom));
    },
  );

  it("reads small files right in any order, and again", async () => {
    const files = client();
    const random = new SeededRandom(3);
    for (let i = 0; i < 600; i++) {
      const which = random.below(SMALL.length);
      const content = SMALL[which] as Uint8Array;
      const { nodeId } = await files.walk(nameOf(which + 1));
      const offset = random.pick([0, 0, random.below(content.byteLength + 1)]);
      expectSameBytes(await files.read(nodeId, offset, 131_072), content.subarray(offset));
    }
  });

  it("reads on after everything was forgotten and looked up again", async () => {
    const { blobs, directories } = store;
    const fileSystem = new CastoreFileSystem({ root, blobs, directories });
    const files = new FileSystemClient(fileSystem);
    for (let round = 0; round < 3; round++) {
      for (const i of [0, 5, 302]) {
        const { nodeId } = await files.walk(nameOf(i));
        const content = [LARGE, ...SMALL, ...MIDDLE][i] as Uint8Array;
        expectSameBytes(await files.read(nodeId, 1000, 5000), content.subarray(1000, 6000));
        fileSystem.forget(nodeId, 1);
      }
    }
    expect(fileSystem.inodes).toBe(1);
    expect((await files.list(ROOT_NODE_ID)).length).toBe(2 + 1 + SMALL.length + MIDDLE.length);
  });
});
