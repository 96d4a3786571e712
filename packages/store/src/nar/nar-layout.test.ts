import {
  B3Digest,
  type BlobReader,
  concatBytes,
  copyBytes,
  Directory,
  type DirectoryEntry,
  directoryDigest,
  directoryNode,
  fileNode,
  MemoryBlobService,
  MemoryDirectoryService,
  type Node,
  Path,
  PathComponent,
  toUtf8,
} from "@tvix/castore";
import { SeededRandom } from "@tvix/castore/testing";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { collectBytes } from "../testing/bytes.js";
import { FillingBlobService } from "../testing/filling-blob-service.js";
import { NAR_FIXTURES, SYMLINK_NODE, storeDirectory, storeFile } from "../testing/nar-fixtures.js";
import { referenceNar } from "../testing/nar-reference.js";
import { storeTree, trees } from "../testing/tree-arbitrary.js";
import { NarLayout } from "./nar-layout.js";
import { NarLayouts } from "./nar-layouts.js";
import { NarRenderError } from "./nar-render-error.js";
import { type CastoreServices, renderNar } from "./renderer.js";

const MIB = 1024 * 1024;

class CountingBlobService extends MemoryBlobService {
  bytesRead = 0;
  opened = 0;

  override async openRead(digest: B3Digest): ReturnType<MemoryBlobService["openRead"]> {
    this.opened++;
    const reader = await super.openRead(digest);
    if (reader === undefined) return undefined;
    const count = async function* (this: CountingBlobService, source: AsyncIterable<Uint8Array>) {
      for await (const bytes of source) {
        this.bytesRead += bytes.byteLength;
        yield bytes;
      }
    }.bind(this);
    return {
      size: reader.size,
      stream: (range, options) => count(reader.stream(range, options)),
    };
  }
}

let blobs: CountingBlobService;
let directories: MemoryDirectoryService;
let services: CastoreServices;
beforeEach(() => {
  blobs = new CountingBlobService();
  directories = new MemoryDirectoryService();
  services = { blobs, directories };
});

function read(layout: NarLayout, offset?: number, length?: number): Promise<Uint8Array> {
  const range = {
    ...(offset === undefined ? {} : { offset }),
    ...(length === undefined ? {} : { length }),
  };
  return collectBytes(layout.stream(range), 100 * MIB);
}

function digestOf(byte: number): B3Digest {
  return B3Digest.fromBytes(new Uint8Array(32).fill(byte));
}

/** Lets a Directory be found that has no children in the store. */
function plant(entries: readonly DirectoryEntry[]): Node {
  const directory = Directory.fromEntries(entries);
  const planted = new Map<string, Directory>();
  const get = directories.get.bind(directories);
  directories.get = async (digest, options) => planted.get(digest.key) ?? get(digest, options);
  const digest = directoryDigest(directory);
  planted.set(digest.key, directory);
  return directoryNode(digest, directory.size());
}

describe("NarLayout", () => {
  it.each(NAR_FIXTURES)("knows the length of the $name", async (fixture) => {
    const layout = await NarLayout.of(services, await fixture.store(services));
    expect(layout.size).toBe(fixture.narSize);
    expect(blobs.opened).toBe(0);
  });

  it("streams any tree, from any place to any other", async () => {
    const random = new SeededRandom(100);
    await fc.assert(
      fc.asyncProperty(trees, async (tree) => {
        const nar = referenceNar(tree);
        const layout = await NarLayout.of(services, await storeTree(services, tree));
        expect(layout.size).toBe(BigInt(nar.byteLength));
        expect(Buffer.compare(await read(layout), nar)).toBe(0);
        for (let i = 0; i < 12; i++) {
          const offset = random.below(nar.byteLength + 1);
          const length = i % 2 === 0 ? random.below(300) : random.below(nar.byteLength);
          const expected = nar.subarray(offset, offset + length);
          expect(Buffer.compare(await read(layout, offset, length), expected)).toBe(0);
        }
      }),
      { seed: 101, numRuns: 150 },
    );
  });

  it("streams from every byte to every byte of a small tree", async () => {
    const inner = await storeDirectory(services, { link: SYMLINK_NODE });
    const root = await storeDirectory(services, {
      a: await storeFile(services, toUtf8("12345"), true),
      b: inner,
      c: await storeDirectory(services, {}),
      d: await storeFile(services, new Uint8Array(0)),
    });
    const nar = await collectBytes(renderNar(services, root), 10_000);
    const layout = await NarLayout.of(services, root);
    for (let offset = 0; offset <= nar.byteLength; offset++) {
      for (const end of [offset, offset + 1, offset + 17, offset + 200, nar.byteLength]) {
        const bytes = await read(layout, offset, Math.max(0, end - offset));
        expect(Buffer.compare(bytes, nar.subarray(offset, end))).toBe(0);
      }
    }
  });

  it("reads of large files what is wanted, and of others nothing", async () => {
    const random = new SeededRandom(102);
    const entries: Record<string, Node> = {};
    for (let i = 0; i < 12; i++) {
      entries[`file-${10 + i}`] = await storeFile(services, random.bytes(3 * MIB + i));
    }
    const root = await storeDirectory(services, entries);
    const nar = await collectBytes(renderNar(services, root), 100 * MIB);
    const layout = await NarLayout.of(services, root);
    blobs.bytesRead = 0;
    blobs.opened = 0;
    expect(
      Buffer.compare(await read(layout, 20 * MIB, 1000), nar.subarray(20 * MIB, 20 * MIB + 1000)),
    ).toBe(0);
    expect(blobs.opened).toBe(1);
    expect(blobs.bytesRead).toBe(1000);
    const [from, length] = [5 * MIB, 7 * MIB];
    expect(
      Buffer.compare(await read(layout, from, length), nar.subarray(from, from + length)),
    ).toBe(0);
    expect(blobs.bytesRead).toBeLessThanOrEqual(1000 + length);
  });

  it("refuses a range that starts past the end", async () => {
    const layout = await NarLayout.of(services, SYMLINK_NODE);
    await expect(read(layout, 136)).resolves.toHaveLength(0);
    await expect(read(layout, 137)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(read(layout, -1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("finds nodes and the content of files", async () => {
    await fc.assert(
      fc.asyncProperty(trees, async (tree) => {
        const layout = await NarLayout.of(services, await storeTree(services, tree));
        const nar = referenceNar(tree);
        for (const { path, node, offset } of layout.files()) {
          const found = layout.find(path);
          expect(found).toEqual({ node, offset });
          const reader = await blobs.openRead(node.digest);
          const content = await collectBytes((reader as BlobReader).stream(), MIB);
          const there = nar.subarray(offset, offset + Number(node.size));
          expect(Buffer.compare(there, content)).toBe(0);
          expect(layout.find(path.join(PathComponent.parse("x")))).toBeUndefined();
        }
      }),
      { seed: 103, numRuns: 60 },
    );
    const root = await storeDirectory(services, { a: SYMLINK_NODE });
    const layout = await NarLayout.of(services, root);
    expect(layout.find(Path.EMPTY)).toEqual({ node: root, offset: 24 });
    expect(layout.find(Path.parse("b"))).toBeUndefined();
  });

  it("counts the nodes on the longest way down", async () => {
    const empty = await storeDirectory(services, {});
    const two = await storeDirectory(services, { a: SYMLINK_NODE });
    const three = await storeDirectory(services, { a: two, b: empty, c: SYMLINK_NODE });
    for (const [node, depth] of [
      [SYMLINK_NODE, 1],
      [empty, 1],
      [two, 2],
      [three, 3],
    ] as const) {
      expect((await NarLayout.of(services, node)).depth).toBe(depth);
    }
  });

  it("takes some 60 bytes and the name for an entry", async () => {
    const entries: Record<string, Node> = {};
    const file = await storeFile(services, toUtf8("x"));
    for (let i = 0; i < 40_000; i++) entries[`file-${10_000 + i}`] = file;
    const layout = await NarLayout.of(services, await storeDirectory(services, entries));
    expect(layout.memoryBytes).toBeLessThan(40_000 * (60 + 10));
    expect(layout.memoryBytes).toBeGreaterThan(40_000 * (32 + 8 + 10));
  });

  it("holds a Directory once, however often it is in the tree", async () => {
    let node = await storeDirectory(services, { a: await storeFile(services, toUtf8("x")) });
    for (let i = 0; i < 20; i++) node = await storeDirectory(services, { a: node, b: node });
    const layout = await NarLayout.of(services, node);
    expect(layout.memoryBytes).toBeLessThan(40_000);
    expect(layout.size).toBeGreaterThan(2n ** 20n * 200n);
    const middle = Number(layout.size / 2n);
    await expect(read(layout, middle, 1000)).resolves.toHaveLength(1000);
    for (let i = 0; i < 40; i++) node = await storeDirectory(services, { a: node, b: node });
    await expect(NarLayout.of(services, node)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      reason: "too-large",
    });
  });

  it("is made of trees that are nested deeper than a call stack would bear", async () => {
    let node: Node = SYMLINK_NODE;
    for (let i = 0; i < 20_000; i++) {
      const directory = Directory.fromEntries([{ name: PathComponent.parse("d"), node }]);
      node = directoryNode(await directories.put(directory), directory.size());
    }
    const layout = await NarLayout.of(services, node);
    expect(layout.depth).toBe(20_001);
    const end = await read(layout, Number(layout.size) - 100);
    expect(end).toHaveLength(100);
  });

  it.each([11n, 13n, 2n ** 53n, 2n ** 64n - 1n])(
    "refuses a blob whose node states %i bytes",
    async (size) => {
      const { digest } = (await storeFile(services, toUtf8("Hello World!"))) as {
        digest: B3Digest;
      };
      const root = await storeDirectory(services, { a: fileNode(digest, size) });
      const attempt = async () => {
        for (const node of [fileNode(digest, size), root])
          await read(await NarLayout.of(services, node));
      };
      await expect(attempt()).rejects.toBeInstanceOf(NarRenderError);
    },
  );

  it("says which directory is missing, the root or another", async () => {
    const missing = directoryNode(digestOf(2), 0n);
    await expect(NarLayout.of(services, missing)).rejects.toMatchObject({
      name: "NarRenderError",
      code: "MISSING_REFERENCE",
      reason: "missing-directory",
      digest: missing.digest,
      path: Path.EMPTY,
    });
    const name = PathComponent.parse("sub");
    const inner = plant([{ name, node: missing }]);
    const outer = plant([
      { name: PathComponent.parse("a"), node: SYMLINK_NODE },
      { name, node: inner },
    ]);
    const error = await NarLayout.of(services, outer).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ reason: "missing-directory", digest: missing.digest });
    expect(String((error as NarRenderError).path)).toBe("sub/sub");
    expect((error as NarRenderError).cause).toMatchObject({ code: "MISSING_REFERENCE" });
  });

  it("says which blob is missing before it is read", async () => {
    const there = await storeFile(services, toUtf8("x"));
    const inner = await storeDirectory(services, { a: there, gone: fileNode(digestOf(1), 3n) });
    const root = await storeDirectory(services, { a: there, b: inner, c: there });
    const layout = await NarLayout.of(services, root);
    const error = await layout.missing();
    expect(error).toMatchObject({
      name: "NarRenderError",
      reason: "missing-blob",
      digest: digestOf(1),
    });
    expect(String(error?.path)).toBe("b/gone");
    expect(blobs.opened).toBe(0);
    await expect(read(layout)).rejects.toMatchObject({ message: error?.message });
    const file = await NarLayout.of(services, fileNode(digestOf(1), 3n));
    expect(await file.missing()).toMatchObject({ reason: "missing-blob" });
    for (const node of [there, SYMLINK_NODE, await storeDirectory(services, { a: there })]) {
      expect(await (await NarLayout.of(services, node)).missing()).toBeUndefined();
    }
  });

  it("ends with the reason of its signal", async () => {
    const reason = new Error("enough");
    const root = await storeDirectory(services, {
      a: await storeFile(services, new Uint8Array(4 * MIB)),
    });
    const signal = AbortSignal.abort(reason);
    await expect(NarLayout.of(services, root, { signal })).rejects.toBe(reason);
    const layout = await NarLayout.of(services, root);
    await expect(collectBytes(layout.stream({}, { signal }), 5 * MIB)).rejects.toBe(reason);
  });
});

describe("NarLayouts", () => {
  let made: number;
  let hold: Promise<void> | undefined;
  beforeEach(() => {
    made = 0;
    hold = undefined;
    const getRecursive = directories.getRecursive.bind(directories);
    directories.getRecursive = async function* (digest, options) {
      made++;
      await hold;
      options?.signal?.throwIfAborted();
      yield* getRecursive(digest, options);
    };
  });

  function rootOf(name: string): Promise<Node> {
    return storeDirectory(services, { [name]: SYMLINK_NODE });
  }

  it("makes a layout once", async () => {
    const layouts = new NarLayouts(services);
    const root = await rootOf("a");
    const [first, second] = await Promise.all([layouts.get(root), layouts.get(root)]);
    expect(first).toBe(second);
    expect(await layouts.get(root)).toBe(first);
    expect(made).toBe(1);
    expect(layouts.bytes).toBe(first.memoryBytes);
  });

  it("forgets those that were not used for longest", async () => {
    const [a, b, c] = [await rootOf("a"), await rootOf("b"), await rootOf("c")];
    const { memoryBytes } = await NarLayout.of(services, a);
    made = 0;
    const layouts = new NarLayouts(services, { maxBytes: 2 * memoryBytes });
    for (const root of [a, b, a, c, a]) await layouts.get(root);
    expect(made).toBe(3);
    await layouts.get(b);
    expect(made).toBe(4);
    expect(layouts.bytes).toBeLessThanOrEqual(2 * memoryBytes);
    const none = new NarLayouts(services, { maxBytes: memoryBytes - 1 });
    await none.get(a);
    expect(none.bytes).toBe(0);
  });

  it("does not remember failures", async () => {
    const layouts = new NarLayouts(services);
    const missing = directoryNode(digestOf(3), 0n);
    await expect(layouts.get(missing)).rejects.toMatchObject({ reason: "missing-directory" });
    await expect(layouts.get(missing)).rejects.toMatchObject({ reason: "missing-directory" });
    expect(made).toBe(2);
  });

  it("goes on as long as somebody waits", async () => {
    const layouts = new NarLayouts(services);
    const root = await rootOf("a");
    let release = (): void => {};
    hold = new Promise((resolve) => {
      release = resolve;
    });
    const reason = new Error("enough");
    const controllers = [new AbortController(), new AbortController()];
    const [one, two] = controllers.map(({ signal }) => layouts.get(root, { signal }));
    controllers[0]?.abort(reason);
    await expect(one).rejects.toBe(reason);
    controllers[1]?.abort(reason);
    await expect(two).rejects.toBe(reason);
    // The first has been given up; this is another.
    const third = layouts.get(root);
    release();
    await expect(third).resolves.toBeInstanceOf(NarLayout);
    expect(made).toBe(2);
    expect(await layouts.get(root)).toBe(await third);
  });
});

describe("NarLayout of a service that fills many places", () => {
  /** Larger than all blocks on the way together. */
  async function large(): Promise<{ readonly layout: NarLayout; readonly nar: Uint8Array }> {
    services = { blobs: new FillingBlobService(), directories };
    const entries: [Uint8Array, { type: "file"; executable: boolean; content: Uint8Array }][] = [];
    for (let i = 0; i < 40; i++) {
      const content = new Uint8Array(MIB - i).map((_, at) => at ^ i);
      entries.push([toUtf8(`file-${i + 10}`), { type: "file", executable: false, content }]);
    }
    const tree = { type: "directory", entries } as const;
    const root = await storeTree(services, tree);
    return { layout: await NarLayout.of(services, root), nar: referenceNar(tree) };
  }

  it("lends its bytes, and uses the memory again", async () => {
    const { layout, nar } = await large();
    const memories = new Set<ArrayBufferLike>();
    let at = 0;
    for await (const bytes of layout.lend()) {
      expect(Buffer.compare(bytes, nar.subarray(at, at + bytes.byteLength))).toBe(0);
      at += bytes.byteLength;
      memories.add(bytes.buffer);
    }
    expect(at).toBe(nar.byteLength);
    const held = [...memories].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(held).toBeLessThan(nar.byteLength / 2);
  });

  it("lends a part of them", async () => {
    const { layout, nar } = await large();
    const parts: Uint8Array[] = [];
    const range = { offset: 3 * MIB + 5, length: 7 * MIB + 3 };
    for await (const bytes of layout.lend(range)) parts.push(copyBytes(bytes));
    const expected = nar.subarray(range.offset, range.offset + range.length);
    expect(Buffer.compare(concatBytes(parts), expected)).toBe(0);
  });

  it("does not use the memory again that it has lent to who stops there", async () => {
    const { layout } = await large();
    let lent: Uint8Array = new Uint8Array(0);
    for await (const bytes of layout.lend()) {
      lent = bytes;
      break;
    }
    const before = copyBytes(lent);
    for await (const bytes of layout.lend()) {
      expect(bytes.buffer).not.toBe(lent.buffer);
    }
    expect(Buffer.compare(lent, before)).toBe(0);
  });

  it("streams what stays as it is", async () => {
    const { layout, nar } = await large();
    const parts: Uint8Array[] = [];
    for await (const bytes of layout.stream()) parts.push(bytes);
    expect(Buffer.compare(concatBytes(parts), nar)).toBe(0);
  });
});
