import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { blake3 } from "@tvix/castore";
import { BLOB_B, NOWHERE, SeededRandom, seededBytes } from "@tvix/castore/testing";
import { type Directory, DirectorySchema } from "@tvix/protos/castore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { digestOf, type SizeFactor, StockClient, sizeOf } from "./stock-client.js";
import { Stranger } from "./stranger.js";

const ENTRIES = 65_536;
const SEED = 20_241_122;

let daemon: Daemon;
let stranger: Stranger;
let stock: StockClient;

beforeAll(async () => {
  daemon = await startDaemon();
  stranger = new Stranger(`${daemon.host}:${daemon.port}`);
  stock = new StockClient(stranger);
});

afterAll(async () => {
  stranger.close();
  await daemon[Symbol.asyncDispose]();
});

/** A tree of Directories, leaves first, with sizes by one rule; some are in several places. */
function closure(random: SeededRandom, factor: SizeFactor, count = 60): Directory[] {
  const all: Directory[] = [];
  const unused = new Set<Directory>();
  const named = (directory: Directory, name: string) => ({
    name: Buffer.from(name),
    digest: digestOf(directory),
    size: sizeOf(directory, factor),
  });
  const add = (children: readonly Directory[]): void => {
    const i = all.length;
    const directory = create(DirectorySchema, {
      directories: children.map((child, j) => named(child, `d${String(j).padStart(3, "0")}`)),
      files: [{ name: Buffer.from(`f${i}`), digest: random.bytes(32), size: BigInt(i) }],
      symlinks: [{ name: Buffer.from(`l${i}`), target: Buffer.from(`target ${i}`) }],
    });
    for (const child of children) unused.delete(child);
    all.push(directory);
    unused.add(directory);
  };
  for (let i = 0; i < count; i++) {
    add(Array.from({ length: i === 0 ? 0 : random.below(4) }, () => random.pick(all)));
  }
  add([...unused]);
  return all;
}

/** In which order the answer comes is not what these tests are about. */
function digestsOf(directories: readonly Directory[]): string[] {
  return directories.map((directory) => Buffer.from(digestOf(directory)).toString("hex")).sort();
}

describe("a stock client", () => {
  it.each([0, 1, 4096, 4097, 262_143, 1_048_576, 7_654_321])(
    "writes a blob of %d bytes in small messages and reads it chunk by chunk",
    async (length) => {
      const data = seededBytes(length, length);
      const digest = await stock.write(data);
      expect(digest).toEqual(blake3(data).toBytes());
      expect(await stock.has(digest)).toBe(true);
      expect(blake3((await stock.read(digest)) ?? new Uint8Array(1))).toEqual(blake3(data));
    },
  );

  it("reads blobs of repeated and of compressible content", async () => {
    const digest = await stock.write(BLOB_B);
    expect(Buffer.from((await stock.read(digest)) ?? []).equals(BLOB_B)).toBe(true);
    const zeros = new Uint8Array(5_000_000);
    const digestOfZeros = await stock.write(zeros);
    expect(Buffer.from((await stock.read(digestOfZeros)) ?? []).equals(zeros)).toBe(true);
  });

  it("writes and reads at the same time", async () => {
    const blobs = Array.from({ length: 20 }, (_, i) => seededBytes(SEED + i, 300_000 + i));
    const digests = await Promise.all(blobs.map((data) => stock.write(data)));
    const contents = await Promise.all(digests.map((digest) => stock.read(digest)));
    expect(contents.map((data) => blake3(data ?? new Uint8Array()).toBytes())).toEqual(digests);
  });

  it("learns that a blob and a directory are absent", async () => {
    expect(await stock.has(NOWHERE.toBytes())).toBe(false);
    expect(await stock.read(NOWHERE.toBytes())).toBeUndefined();
    expect(await stock.getDirectory(NOWHERE.toBytes())).toBeUndefined();
    expect(await stock.getClosure(NOWHERE.toBytes(), 2)).toEqual([]);
  });

  it("puts and gets a directory of 65,536 entries", async () => {
    const random = new SeededRandom(SEED);
    const large = create(DirectorySchema, {
      files: Array.from({ length: ENTRIES }, (_, i) => ({
        name: Buffer.from(i.toString(16).padStart(5, "0")),
        digest: random.bytes(32),
        size: BigInt(i),
        executable: i % 2 === 0,
      })),
    });
    const digest = await stock.putClosure([large]);
    expect(digest).toEqual(digestOf(large));
    const got = await stock.getDirectory(digest);
    expect(got?.files.length).toBe(ENTRIES);
    expect((await stock.getClosure(digest, 2)).length).toBe(1);
  });

  it("puts a directory of 300 levels", async () => {
    const levels: Directory[] = [create(DirectorySchema)];
    for (let i = 1; i < 300; i++) {
      const child = levels[i - 1] ?? create(DirectorySchema);
      const entry = { name: Buffer.from("d"), digest: digestOf(child), size: sizeOf(child, 2) };
      levels.push(create(DirectorySchema, { directories: [entry] }));
    }
    const digest = await stock.putClosure(levels);
    expect(await stock.getClosure(digest, 2)).toHaveLength(300);
  });
});

describe("a stock client of either size rule", () => {
  it.each<SizeFactor>([1, 2])("gets its closure back as it was, factor %d", async (factor) => {
    const directories = closure(new SeededRandom(SEED + factor), factor);
    const root = await stock.putClosure(directories);
    expect(root).toEqual(digestOf(directories.at(-1) ?? create(DirectorySchema)));
    const received = await stock.getClosure(root, factor);
    expect(digestsOf(received)).toEqual(digestsOf(directories));
  });

  it("cannot mix the rules in one closure", async () => {
    const leaf = create(DirectorySchema, {
      symlinks: [{ name: Buffer.from("link"), target: Buffer.from("target") }],
    });
    const above = (factor: SizeFactor) => {
      const size = sizeOf(leaf, factor);
      const directories = [{ name: Buffer.from("child"), digest: digestOf(leaf), size }];
      return create(DirectorySchema, { directories });
    };
    const middle = [above(1), above(2)] as const;
    const root = create(DirectorySchema, {
      directories: middle.map((directory, i) => ({
        name: Buffer.from(`child ${i}`),
        digest: digestOf(directory),
        size: sizeOf(directory, i === 0 ? 1 : 2),
      })),
    });
    await expect(stock.putClosure([leaf, ...middle, root])).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.stringMatching(/size/),
    });
  });
});
