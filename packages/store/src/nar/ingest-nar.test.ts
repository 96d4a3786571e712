import {
  B3Digest,
  type BlobService,
  blake3,
  type CallOptions,
  CastoreError,
  type Directory,
  equalNodes,
  MemoryBlobService,
  MemoryDirectoryService,
  toUtf8,
} from "@tvix/castore";
import { SeededRandom } from "@tvix/castore/testing";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../sha256/sha256.js";
import { collectBytes, fromHex } from "../testing/bytes.js";
import { EVIL_NARS } from "../testing/evil-nars.js";
import { NAR_FIXTURES } from "../testing/nar-fixtures.js";
import { mutate } from "../testing/nar-mutations.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { cut, fileNarNode, narDirectory, narLength, narStrings } from "../testing/nar-strings.js";
import { storeTree, trees } from "../testing/tree-arbitrary.js";
import { type IngestNarOptions, ingestNar } from "./ingest-nar.js";
import { NarFormatError } from "./nar-format-error.js";
import { type CastoreServices, renderNar } from "./renderer.js";

const MIB = 1024 * 1024;

/** Counts calls that are under way, and can be made to fail. */
class ProbedBlobService extends MemoryBlobService {
  running = 0;
  calls = 0;
  most = 0;
  failure: Error | undefined;
  /** Called before each call is answered. */
  before: (() => Promise<void>) | undefined;

  override put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    return this.#probe(() => super.put(source, options));
  }

  override putMany(blobs: readonly Uint8Array[], options: CallOptions = {}): Promise<B3Digest[]> {
    return this.#probe(() => super.putMany(blobs, options));
  }

  async #probe<T>(call: () => Promise<T>): Promise<T> {
    this.calls++;
    this.most = Math.max(this.most, ++this.running);
    try {
      await this.before?.();
      if (this.failure !== undefined) throw this.failure;
      return await call();
    } finally {
      this.running--;
    }
  }
}

/** Refuses Directories whose content is not there yet, and remembers whether a root was made. */
class StrictDirectoryService extends MemoryDirectoryService {
  readonly #blobs: BlobService;
  roots = 0;

  constructor(blobs: BlobService) {
    super();
    this.#blobs = blobs;
  }

  override async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const digest = await super.putMultiple(this.#check(directories), options);
    this.roots++;
    return digest;
  }

  async *#check(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
  ): AsyncGenerator<Directory> {
    for await (const directory of directories) {
      for (const { name, node } of directory.entries) {
        if (node.type === "file" && !(await this.#blobs.has(node.digest))) {
          throw new Error(`"${name}" comes before its content`);
        }
      }
      yield directory;
    }
  }
}

/** A source that tells whether it was closed. */
class Source implements AsyncIterable<Uint8Array> {
  closed = 0;
  taken = 0;
  readonly #chunks: Iterable<Uint8Array>;
  readonly #end: (() => Promise<void>) | undefined;

  constructor(chunks: Iterable<Uint8Array>, end?: () => Promise<void>) {
    this.#chunks = chunks;
    this.#end = end;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (const chunk of this.#chunks) {
        this.taken += chunk.byteLength;
        yield chunk;
      }
      await this.#end?.();
    } finally {
      this.closed++;
    }
  }
}

function file(content: Uint8Array, executable = false): MemoryTree {
  return { type: "file", content, executable };
}

/** Small and large files, several levels; one file of ten is large. */
function mixedTree(random: SeededRandom, files = 40): MemoryTree {
  const entries = Array.from({ length: files }, (_, i): readonly [Uint8Array, MemoryTree] => {
    const length = i % 10 === 3 ? MIB + 1 + random.below(MIB) : random.below(40_000);
    const child = file(random.bytes(length), i % 3 === 0);
    const name = toUtf8(`entry-${100 + i}`);
    return i % 5 === 4
      ? [name, { type: "directory", entries: [[toUtf8("in"), child]] }]
      : [name, child];
  });
  return { type: "directory", entries };
}

describe("ingestNar()", () => {
  let blobs: ProbedBlobService;
  let directories: StrictDirectoryService;
  let services: CastoreServices;
  beforeEach(() => {
    blobs = new ProbedBlobService();
    directories = new StrictDirectoryService(blobs);
    services = { blobs, directories };
  });

  async function failureOf(
    source: AsyncIterable<Uint8Array>,
    options?: IngestNarOptions,
  ): Promise<unknown> {
    try {
      await ingestNar(services, source, options);
    } catch (error) {
      expect(blobs.running).toBe(0);
      return error;
    }
    return undefined;
  }

  it.each(NAR_FIXTURES)("makes the root of the $name, and its size and hash", async (fixture) => {
    const root = await fixture.store(services);
    const nar = await collectBytes(renderNar(services, root), 10_000);
    const result = await ingestNar(
      { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() },
      new Source(cut(nar, 100)),
    );
    expect(equalNodes(result.root, root)).toBe(true);
    expect(result.narSize).toBe(fixture.narSize);
    expect(result.narSha256).toEqual(fromHex(fixture.narSha256));
  });

  it("is the inverse of rendering, however the source is cut", async () => {
    await fc.assert(
      fc.asyncProperty(trees, fc.constantFrom(1, 50, 70_000), async (tree, length) => {
        const other = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
        const root = await storeTree(other, tree);
        const nar = referenceNar(tree);
        const source = new Source(cut(nar, nar.byteLength > 20_000 ? length + 999 : length));
        const result = await ingestNar(services, source);
        expect(equalNodes(result.root, root)).toBe(true);
        expect(result.narSize).toBe(BigInt(nar.byteLength));
        expect(result.narSha256).toEqual(sha256(nar));
        expect(source.closed).toBe(1);
        const again = await collectBytes(renderNar(services, result.root), nar.byteLength);
        expect(Buffer.compare(again, nar)).toBe(0);
      }),
      { seed: 80, numRuns: 100 },
    );
  });

  it("stores small files many at a time, and large ones as streams", async () => {
    const nar = referenceNar(mixedTree(new SeededRandom(81)));
    const { root } = await ingestNar(services, new Source(cut(nar, 60_000)));
    const again = await collectBytes(renderNar(services, root), nar.byteLength);
    expect(Buffer.compare(again, nar)).toBe(0);
    expect(blobs.calls).toBeLessThan(15);
    expect(directories.roots).toBe(1);
  });

  it("goes on reading while blobs are stored, but not without bounds", async () => {
    const waiting: (() => void)[] = [];
    blobs.before = () => new Promise((resolve) => waiting.push(resolve));
    const random = new SeededRandom(82);
    const entries = Array.from({ length: 100 }, (_, i) => {
      return [`file-${100 + i}`, fileNarNode(random.bytes(700_000))] as const;
    });
    const source = new Source(cut(narDirectory(...entries), 65_536));
    const done = ingestNar(services, source);
    let last = -1;
    while (last !== source.taken) {
      last = source.taken;
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(source.taken).toBeGreaterThan(20 * MIB);
    expect(source.taken).toBeLessThan(30 * MIB);
    expect(blobs.running).toBeGreaterThan(8);
    blobs.before = undefined;
    for (const resolve of waiting) resolve();
    await done;
    expect(source.taken).toBeGreaterThan(60 * MIB);
  });

  it("tells the bytes of the NAR, all of them, in order", async () => {
    const nar = referenceNar(mixedTree(new SeededRandom(83)));
    const seen: Uint8Array[] = [];
    const onBytes = (bytes: Uint8Array) => seen.push(bytes);
    await ingestNar(services, new Source(cut(nar, 100_000)), { onBytes });
    expect(Buffer.compare(Buffer.concat(seen), nar)).toBe(0);
    const failure = new Error("seen enough");
    const fail = () => {
      throw failure;
    };
    expect(await failureOf(new Source([nar]), { onBytes: fail })).toBe(failure);
  });

  it("holds a directory of 100,000 entries", async () => {
    const child = fileNarNode("");
    const begin = narStrings("nix-archive-1", "(", "type", "directory");
    function* chunks(): Generator<Uint8Array> {
      yield begin;
      for (let i = 0; i < 100_000; i++) {
        yield narStrings("entry", "(", "name", `n${100_000 + i}`, "node", [child], ")");
      }
      yield narStrings(")");
    }
    const { root } = await ingestNar(services, new Source(chunks()));
    expect(root).toMatchObject({ type: "directory", size: 100_000n });
  });

  it.each(EVIL_NARS.map(([what, nar, reason]) => ({ what, nar, reason })))(
    "publishes nothing of $what",
    async ({ nar, reason }) => {
      const source = new Source(cut(nar, 64));
      const error = await failureOf(source);
      expect(error).toBeInstanceOf(NarFormatError);
      expect(error).toMatchObject({ reason });
      expect(source.closed).toBe(1);
      expect(directories.roots).toBe(0);
    },
  );

  it("stores no blob of a file that is cut off", async () => {
    const content = new Uint8Array(MIB + 10).fill(5);
    const whole = narStrings("nix-archive-1", [fileNarNode(content)]);
    for (const length of [2000, MIB, MIB + 97, whole.byteLength - 1]) {
      const error = await failureOf(new Source(cut(whole.subarray(0, length), 5000)));
      expect(error).toMatchObject({ name: "NarFormatError", reason: "unexpected-end" });
    }
    const part = content.subarray(0, 2000 - 104);
    expect(await blobs.has(blake3(part))).toBe(false);
    const claims = narStrings(
      "nix-archive-1",
      "(",
      "type",
      "regular",
      "contents",
      narLength(2n ** 32n),
      [new Uint8Array(10)],
    );
    expect(await failureOf(new Source([claims]))).toMatchObject({ reason: "unexpected-end" });
    expect(await blobs.has(blake3(new Uint8Array(10)))).toBe(false);
  });

  it("fails at 200 places of a cut, and succeeds then", async () => {
    const random = new SeededRandom(84);
    const nar = referenceNar(mixedTree(random, 12));
    for (let i = 0; i < 200; i++) {
      const length = random.below(nar.byteLength);
      const error = await failureOf(new Source(cut(nar.subarray(0, length), 200_000)));
      expect(error).toMatchObject({ reason: "unexpected-end", offset: length });
    }
    expect(directories.roots).toBe(0);
    await expect(ingestNar(services, new Source([nar]))).resolves.toMatchObject({
      narSize: BigInt(nar.byteLength),
    });
  });

  it("stops at the size that was announced", async () => {
    const nar = referenceNar(mixedTree(new SeededRandom(85)));
    const size = BigInt(nar.byteLength);
    await expect(
      ingestNar(services, new Source([nar]), { limits: { maxNarSize: size } }),
    ).resolves.toMatchObject({
      narSize: size,
    });
    for (const maxNarSize of [size - 1n, 5000n, 0n]) {
      const source = new Source(cut(nar, 1000));
      const error = await failureOf(source, { limits: { maxNarSize } });
      expect(error).toMatchObject({ reason: "nar-too-large" });
      expect(source.taken).toBeLessThanOrEqual(Number(maxNarSize) + 1000);
      expect(source.closed).toBe(1);
    }
  });

  it.each([
    ["small", 10_000],
    ["large", 3 * MIB],
  ])("passes failures of the blob service through, at once: %s file", async (_, length) => {
    blobs.failure = new CastoreError("STORAGE", "disk full");
    // A source that has more to say, some day.
    const nar = narDirectory(
      ["a", fileNarNode(new Uint8Array(length))],
      ["b", fileNarNode(new Uint8Array(2 * MIB))],
    );
    const source = new Source(
      cut(nar.subarray(0, nar.byteLength - 100), 5000),
      () => new Promise(() => undefined),
    );
    expect(await failureOf(source)).toBe(blobs.failure);
  });

  it("passes failures of the directory service through", async () => {
    const failure = new Error("no more inodes");
    services.directories.putMultiple = async () => {
      throw failure;
    };
    const source = new Source(cut(referenceNar(mixedTree(new SeededRandom(86))), 10_000));
    expect(await failureOf(source)).toBe(failure);
    expect(source.closed).toBe(1);
  });

  it("tells what failed first, not what a service made of it", async () => {
    const put = services.directories.putMultiple.bind(services.directories);
    services.directories.putMultiple = (all, options) =>
      put(all, options).catch((cause) => Promise.reject(new Error("wrapped", { cause })));
    const nar = referenceNar(mixedTree(new SeededRandom(87)));
    const error = await failureOf(new Source([nar.subarray(0, nar.byteLength - 8)]));
    expect(error).toMatchObject({ name: "NarFormatError", reason: "unexpected-end" });
  });

  it("does not believe a service that takes only a part", async () => {
    services.directories.putMultiple = async () => B3Digest.fromBytes(new Uint8Array(32));
    const nar = narDirectory(["a", fileNarNode("x")]);
    const two = narDirectory(
      ["a", narStrings("(", "type", "directory", ")")],
      ["b", fileNarNode("x")],
    );
    for (const bytes of [nar, two]) {
      expect(await failureOf(new Source([bytes]))).toMatchObject({ code: "STORAGE" });
    }
    blobs.put = async () => B3Digest.fromBytes(new Uint8Array(32));
    const large = narStrings("nix-archive-1", [fileNarNode(new Uint8Array(2 * MIB))]);
    expect(await failureOf(new Source([large]))).toMatchObject({ code: "STORAGE" });
  });

  it("passes failures of the source through", async () => {
    const failure = new Error("line cut");
    for (const length of [0, 50, 5000, 2 * MIB]) {
      const nar = referenceNar(mixedTree(new SeededRandom(88)));
      const source = new Source(cut(nar.subarray(0, length), 70_000), () =>
        Promise.reject(failure),
      );
      expect(await failureOf(source)).toBe(failure);
      expect(source.closed).toBe(1);
    }
  });

  it("ends with the reason of its signal, even while nothing moves", async () => {
    const reason = new Error("enough");
    const early = new Source([referenceNar(file(toUtf8("x")))]);
    expect(await failureOf(early, { signal: AbortSignal.abort(reason) })).toBe(reason);
    expect(early.taken).toBe(0);
    const nar = referenceNar(mixedTree(new SeededRandom(89)));
    for (const length of [100, 3 * MIB]) {
      const controller = new AbortController();
      const stuck = new Source(
        cut(nar.subarray(0, length), 70_000),
        () => new Promise(() => undefined),
      );
      const failed = failureOf(stuck, { signal: controller.signal });
      while (stuck.taken < length) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(reason);
      expect(await failed).toBe(reason);
    }
  });

  it("throws nothing but its own errors, whatever comes", async () => {
    const random = new SeededRandom(90);
    const nar = narDirectory(["a", fileNarNode("12345678")], ["b", fileNarNode("1")]);
    let refused = 0;
    for (let run = 0; run < 2000; run++) {
      const error = await failureOf(new Source(cut(mutate(nar, random), random.pick([1000, 40]))));
      if (error === undefined) continue;
      refused++;
      if (!(error instanceof NarFormatError)) throw new Error(`run ${run}`, { cause: error });
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
