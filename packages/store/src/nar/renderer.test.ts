import {
  B3Digest,
  type BlobReader,
  type ChunkMeta,
  concatBytes,
  copyBytes,
  Directory,
  directoryNode,
  type FileNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  PathComponent,
  toUtf8,
} from "@tvix/castore";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { collectBytes, fromHex } from "../testing/bytes.js";
import { FillingBlobService } from "../testing/filling-blob-service.js";
import { NAR_FIXTURES, SYMLINK_NODE, storeDirectory, storeFile } from "../testing/nar-fixtures.js";
import { referenceNar } from "../testing/nar-reference.js";
import { storeTree, trees } from "../testing/tree-arbitrary.js";
import { NarRenderError } from "./nar-render-error.js";
import { type CastoreServices, calculateNar, renderNar, writeNar } from "./renderer.js";

const MIB = 1024 * 1024;

/** Counts what is read and not yet taken, and can be made to lie about what it stores. */
class ProbedBlobService extends MemoryBlobService {
  opened = 0;
  /** Streams that began and have not ended. */
  streaming = 0;
  bytesRead = 0;
  /** Stands in for the bytes of every blob. */
  lie: ((reader: BlobReader) => AsyncIterable<Uint8Array>) | undefined;

  override async openRead(digest: B3Digest): Promise<BlobReader | undefined> {
    const reader = await super.openRead(digest);
    if (reader === undefined) return undefined;
    this.opened++;
    return { size: reader.size, stream: () => this.#stream(this.lie?.(reader) ?? reader.stream()) };
  }

  async *#stream(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.streaming++;
    try {
      for await (const bytes of source) {
        this.bytesRead += bytes.byteLength;
        yield bytes;
      }
    } finally {
      this.streaming--;
    }
  }
}

async function* pieces(length: number, size: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0; left -= size) yield new Uint8Array(Math.min(size, left));
}

async function failureOf(source: AsyncIterable<Uint8Array>): Promise<unknown> {
  try {
    await collectBytes(source, 100 * MIB);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("renderNar()", () => {
  let blobs: ProbedBlobService;
  let services: CastoreServices;
  beforeEach(() => {
    blobs = new ProbedBlobService();
    services = { blobs, directories: new MemoryDirectoryService() };
  });

  it("renders any tree as the reference does", async () => {
    await fc.assert(
      fc.asyncProperty(trees, async (tree) => {
        const root = await storeTree(services, tree);
        const expected = referenceNar(tree);
        const actual = await collectBytes(renderNar(services, root), expected.byteLength);
        expect(Buffer.compare(actual, expected)).toBe(0);
      }),
      { seed: 50, numRuns: 150 },
    );
  });

  it("renders directories that are nested deeper than a call stack would bear", async () => {
    const levels = 20_000;
    let node: Node = SYMLINK_NODE;
    for (let i = 0; i < levels; i++) {
      const entries = [{ name: PathComponent.parse("d"), node }];
      const directory = Directory.fromEntries(entries);
      node = directoryNode(await services.directories.put(directory), directory.size());
    }
    const { narSize } = await calculateNar(services, node);
    const perLevel = 16 + 16 + 24 + (16 + 16 + 16 + 16 + 16) + 16 + 16;
    expect(narSize).toBe(BigInt(136 + levels * perLevel));
  });

  it("streams files that are too large to read ahead", async () => {
    const content = new Uint8Array(3 * MIB + 1).map((_, i) => i);
    const file = await storeFile(services, content);
    const root = await storeDirectory(services, { a: file, b: file });
    const tree = { type: "file", content, executable: false } as const;
    const expected = referenceNar({
      type: "directory",
      entries: [
        [toUtf8("a"), tree],
        [toUtf8("b"), tree],
      ],
    });
    const actual = await collectBytes(renderNar(services, root), expected.byteLength);
    expect(Buffer.compare(actual, expected)).toBe(0);
  });

  it("reads ahead of its consumer, within bounds", async () => {
    const entries: Record<string, Node> = {};
    for (let i = 0; i < 60; i++) {
      entries[`file-${i}`] = await storeFile(services, new Uint8Array(MIB).fill(i));
    }
    const root = await storeDirectory(services, entries);
    let taken = 0;
    let most = 0;
    for await (const bytes of renderNar(services, root)) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, blobs.bytesRead - taken);
      taken += bytes.byteLength;
    }
    expect(blobs.bytesRead).toBe(60 * MIB);
    expect(most).toBeGreaterThan(4 * MIB);
    expect(most).toBeLessThan(11 * MIB);
  });

  it("opens many small files at a time, but not all", async () => {
    const entries: Record<string, Node> = {};
    for (let i = 0; i < 500; i++) {
      entries[`file-${i}`] = await storeFile(services, Uint8Array.of(i, i >> 8, 1));
    }
    const root = await storeDirectory(services, entries);
    let peak = 0;
    const read = blobs.openRead.bind(blobs);
    let now = 0;
    blobs.openRead = async (digest) => {
      peak = Math.max(peak, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return read(digest);
    };
    await calculateNar(services, root);
    expect(blobs.opened).toBe(500);
    expect(peak).toBeGreaterThan(8);
    expect(peak).toBeLessThanOrEqual(64);
  });

  it("names the blob that is missing and where it belongs", async () => {
    const digest = B3Digest.fromBytes(new Uint8Array(32).fill(1));
    const inner = await storeDirectory(services, { "in\n": fileNode(digest, 3n) });
    const root = await storeDirectory(services, { a: SYMLINK_NODE, b: inner });
    const error = await failureOf(renderNar(services, root));
    expect(error).toBeInstanceOf(NarRenderError);
    expect(StoreError.is(error, "MISSING_REFERENCE")).toBe(true);
    expect(error).toMatchObject({ reason: "missing-blob" });
    expect((error as NarRenderError).digest.equals(digest)).toBe(true);
    expect((error as NarRenderError).message).toBe(
      `Cannot render a NAR: there is no blob ${digest}, at "b/in\\x0a"`,
    );
  });

  it("names the directory that is missing and where it belongs", async () => {
    const digest = B3Digest.fromBytes(new Uint8Array(32).fill(2));
    const missing = directoryNode(digest, 0n);
    for (const [root, path] of [
      [missing, ""],
      [await directoryOf("sub", missing), "sub"],
    ] as const) {
      const error = await failureOf(renderNar(services, root));
      expect(error).toMatchObject({
        code: "MISSING_REFERENCE",
        reason: "missing-directory",
      });
      expect((error as NarRenderError).digest.equals(digest)).toBe(true);
      expect(String((error as NarRenderError).path)).toBe(path);
    }
  });

  /** A Directory with one child that need not be stored. */
  async function directoryOf(name: string, node: Node): Promise<Node> {
    const directory = Directory.fromEntries([{ name: PathComponent.parse(name), node }]);
    const get = services.directories.get.bind(services.directories);
    const digest = B3Digest.fromBytes(new Uint8Array(32).fill(3));
    services.directories.get = async (wanted, options) =>
      wanted.equals(digest) ? directory : get(wanted, options);
    return directoryNode(digest, 1n);
  }

  it.each([
    ["larger", 11n],
    ["smaller", 13n],
    ["absurd", 2n ** 64n - 1n],
  ])("refuses a blob whose node states a %s size", async (_, size) => {
    const { digest } = (await storeFile(services, toUtf8("Hello World!"))) as { digest: B3Digest };
    const error = await failureOf(renderNar(services, fileNode(digest, size)));
    expect(error).toMatchObject({ code: "CORRUPT", reason: "size-mismatch" });
    expect((error as NarRenderError).digest.equals(digest)).toBe(true);
    expect((error as NarRenderError).message).toBe(
      `Cannot render a NAR: blob ${digest} has 12 bytes, not ${size}, at the root`,
    );
  });

  it.each([
    ["small, too short", 1000, 999],
    ["small, too long", 1000, 1001],
    ["large, too short", 2 * MIB, 2 * MIB - 1],
    ["large, too long", 2 * MIB, 2 * MIB + 1],
  ])("refuses a blob that yields another length than it states: %s", async (_, size, got) => {
    const root = await storeFile(services, new Uint8Array(size));
    blobs.lie = () => pieces(got, 100_000);
    const error = await failureOf(renderNar(services, root));
    expect(error).toMatchObject({ code: "CORRUPT", reason: "size-mismatch" });
    expect(blobs.streaming).toBe(0);
  });

  it("passes failures of the services through", async () => {
    const root = await storeFile(services, new Uint8Array(10));
    const failure = new Error("disk on fire");
    blobs.lie = () => {
      throw failure;
    };
    await expect(failureOf(renderNar(services, root))).resolves.toBe(failure);
  });

  it("closes what it reads when it is left early", async () => {
    const root = await storeDirectory(services, {
      a: await storeFile(services, new Uint8Array(4 * MIB)),
      b: await storeFile(services, new Uint8Array(1000)),
    });
    blobs.lie = (reader) => pieces(reader.size, 100_000);
    for await (const bytes of renderNar(services, root)) {
      if (bytes.byteLength >= 10_000) break;
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(blobs.streaming).toBe(0);
    expect(blobs.bytesRead).toBeLessThan(MIB);
  });

  it("ends with the reason of its signal", async () => {
    const root = await storeDirectory(services, {
      a: await storeFile(services, new Uint8Array(4 * MIB)),
      b: SYMLINK_NODE,
    });
    const reason = new Error("enough");
    const early = renderNar(services, root, { signal: AbortSignal.abort(reason) });
    await expect(failureOf(early)).resolves.toBe(reason);
    const controller = new AbortController();
    const later = renderNar(services, root, { signal: controller.signal });
    await later.next();
    controller.abort(reason);
    await expect(failureOf(later)).resolves.toBe(reason);
  });
});

describe("renderNar() and writeNar() of a service that fills many places", () => {
  let blobs: FillingBlobService;
  let services: CastoreServices;
  beforeEach(() => {
    blobs = new FillingBlobService();
    services = { blobs, directories: new MemoryDirectoryService() };
  });

  /** What is written, a piece at a time, each of which is gone after its write. */
  async function written(root: Node): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let isWriting = false;
    await writeNar(services, root, async (pieces) => {
      expect(isWriting).toBe(false);
      isWriting = true;
      await new Promise((resolve) => setImmediate(resolve));
      parts.push(...pieces.map((piece) => copyBytes(piece)));
      for (const piece of pieces) piece.fill(0xee);
      isWriting = false;
    });
    return concatBytes(parts);
  }

  /** A file of 3 MiB that comes in chunks. */
  async function largeFile(): Promise<{ node: FileNode; content: Uint8Array }> {
    const content = new Uint8Array(3 * MIB).map((_, i) => i >> 10);
    const node = (await storeFile(services, content)) as FileNode;
    const chunks: ChunkMeta[] = [];
    for (const [start, end] of [
      [0, 700_000],
      [700_000, 2_900_000],
      [2_900_000, 3 * MIB],
    ] as const) {
      const digest = await blobs.put([content.subarray(start, end)]);
      chunks.push({ digest, size: end - start });
    }
    blobs.cuts.set(node.digest.key, chunks);
    return { node, content };
  }

  it("make any tree as the reference does", async () => {
    await fc.assert(
      fc.asyncProperty(trees, async (tree) => {
        const root = await storeTree(services, tree);
        const expected = referenceNar(tree);
        const rendered = await collectBytes(renderNar(services, root), expected.byteLength);
        expect(Buffer.compare(rendered, expected)).toBe(0);
        expect(Buffer.compare(await written(root), expected)).toBe(0);
      }),
      { seed: 51, numRuns: 60 },
    );
  });

  it("put large files together of chunks, and use memory again", async () => {
    const { node, content } = await largeFile();
    blobs.unfilledLength = 700_000;
    const entries = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}`, node]));
    const root = await storeDirectory(services, entries);
    const file = { type: "file", content, executable: false } as const;
    const expected = referenceNar({
      type: "directory",
      entries: Object.keys(entries).map((name) => [toUtf8(name), file] as const),
    });
    expect(Buffer.compare(await written(root), expected)).toBe(0);
    const rendered = await collectBytes(renderNar(services, root), expected.byteLength);
    expect(Buffer.compare(rendered, expected)).toBe(0);
    expect(blobs.filled).toBe(2 * 8 * (3 * MIB - 700_000));
  });

  it("refuse a large file that its chunks do not make up, before the NAR is complete", async () => {
    const { node } = await largeFile();
    const [first, ...others] = blobs.cuts.get(node.digest.key) as readonly [ChunkMeta];
    const other = await blobs.put([new Uint8Array(first.size)]);
    blobs.cuts.set(node.digest.key, [{ digest: other, size: first.size }, ...others]);
    const root = await storeDirectory(services, { a: node });
    await expect(written(root)).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(failureOf(renderNar(services, root))).resolves.toMatchObject({ code: "CORRUPT" });
  });

  it("pass on what a write throws", async () => {
    const { node } = await largeFile();
    const reason = new Error("full");
    const call = writeNar(services, node, () => Promise.reject(reason));
    await expect(call).rejects.toBe(reason);
  });

  it("name the blob that is missing and where it belongs", async () => {
    const digest = B3Digest.fromBytes(new Uint8Array(32).fill(1));
    const root = await storeDirectory(services, { a: fileNode(digest, 3n) });
    const error = await failureOf(renderNar(services, root));
    expect(error).toMatchObject({ reason: "missing-blob" });
    expect(String((error as NarRenderError).path)).toBe("a");
  });
});

describe("calculateNar()", () => {
  it.each(NAR_FIXTURES)("computes size and hash of the $name", async (fixture) => {
    const services = {
      blobs: new MemoryBlobService(),
      directories: new MemoryDirectoryService(),
    };
    const { narSize, narSha256 } = await calculateNar(services, await fixture.store(services));
    expect(narSize).toBe(fixture.narSize);
    expect(narSha256).toEqual(fromHex(fixture.narSha256));
    expect(encodeNixBase32(narSha256)).toBe(fixture.narSha256NixBase32);
  });
});
