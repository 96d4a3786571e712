import { execFileSync } from "node:child_process";
import fs from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryBlobService } from "../blobservice/memory.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { LocalStore } from "../localstore/local-store.js";
import type { DirectorySizeRule } from "../nodes/directory.js";
import { expectStored, RecordingObserver, walkFileTree } from "../testing/file-tree-walker.js";
import {
  directory,
  type FileTree,
  file,
  fileTrees,
  patternBytes,
  symlink,
  writeFileTree,
} from "../testing/file-trees.js";
import { directoryFixture, EMPTY_DIGEST } from "../testing/fixtures.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import type { IngestResult, IngestServices } from "./ingest.js";
import { ingestPath } from "./ingest-path.js";
import { BATCH_BYTES, SMALL_FILE_BYTES } from "./tree-reader.js";

const scratch = scratchDirectory();

function memoryServices(): IngestServices {
  return { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
}

/** Imports `path` and compares everything with what a plain walk finds. */
async function expectImport(
  path: string,
  services: IngestServices = memoryServices(),
  sizeRule: DirectorySizeRule = "documented",
): Promise<IngestResult> {
  const expected = walkFileTree(path, sizeRule);
  const observer = new RecordingObserver();
  const result = await ingestPath(services, Buffer.from(path, "latin1"), { observer, sizeRule });
  expect(result.node).toEqual(expected.node);
  expect(result.observed).toBe(true);
  expect(observer.events).toEqual(expected.events);
  const { entries, files, bytes } = expected;
  expect(result.progress).toEqual({ entries, files, bytes });
  await expectStored(services, expected);
  return result;
}

async function expectTreeImport(tree: FileTree, services?: IngestServices): Promise<IngestResult> {
  writeFileTree(scratch("tree"), tree);
  return expectImport(scratch("tree"), services);
}

const WITH_KEEP = directory({ ".keep": file() });
const COMPLICATED = directory({
  keep: WITH_KEEP,
  ".keep": file(),
  aa: symlink("/nix/store/somewhereelse"),
});
const A = directory();
const B = directory({ a: A });
const D = directory({ a: A, b: B });

describe("ingestPath() and the known digests", () => {
  it.each([
    ["A", "documented", A],
    ["WITH_KEEP", "documented", WITH_KEEP],
    ["WITH_KEEP", "doubled", WITH_KEEP],
    ["B", "documented", B],
    ["C", "documented", directory({ a: A, "a'": A })],
    ["COMPLICATED", "documented", COMPLICATED],
    ["COMPLICATED (doubled)", "doubled", COMPLICATED],
    ["D", "documented", D],
    ["D (doubled)", "doubled", D],
    ["E", "documented", directory({ d: D })],
    ["E (doubled)", "doubled", directory({ d: D })],
  ] as const)("gives %s by the %s rule", async (name, rule, tree) => {
    writeFileTree(scratch("tree"), tree);
    const { node } = await expectImport(scratch("tree"), memoryServices(), rule);
    const fixture = directoryFixture(name);
    if (node.type !== "directory") expect.fail(`It is a ${node.type}`);
    expect(node.digest.toHex()).toBe(fixture.digest);
    expect(node.size).toBe(fixture.sizes[rule]);
  });
});

describe("ingestPath() of a root", () => {
  it("takes a directory whose services know nothing yet, empty as it is", async () => {
    const services = memoryServices();
    const { node } = await expectTreeImport(directory(), services);
    expect(node).toMatchObject({ type: "directory", size: 0n });
  });

  it("takes an empty file", async () => {
    const { node } = await expectTreeImport(file());
    expect(node).toEqual({ type: "file", digest: EMPTY_DIGEST, size: 0n, executable: false });
  });

  it.each([1, SMALL_FILE_BYTES, SMALL_FILE_BYTES + 1, 3 * BATCH_BYTES, 3 * BATCH_BYTES + 1])(
    "takes a file of %i bytes",
    async (size) => {
      const { node } = await expectTreeImport(file(patternBytes(size), 0o755));
      expect(node).toMatchObject({ type: "file", size: BigInt(size), executable: true });
    },
  );

  it.each([
    ["to a directory", "directory"],
    ["to a file", "directory/file"],
    ["to nowhere", "nowhere"],
    ["to itself", "tree"],
    ["to the parent", ".."],
    ["to an absolute path", "/"],
  ])("takes a link %s as a link", async (_, target) => {
    writeFileTree(scratch("directory"), directory({ file: file("x") }));
    const { node } = await expectTreeImport(symlink(target));
    if (node.type !== "symlink") expect.fail(`It is a ${node.type}`);
    expect(node.target.toString()).toBe(target);
  });
});

describe("ingestPath() and modes", () => {
  it.each([
    [0o644, false],
    [0o755, true],
    [0o700, true],
    [0o500, true],
    [0o100, true],
    [0o655, false],
    [0o677, false],
    [0o011, false],
    [0o4644, false],
    [0o7744, true],
  ])("takes a file of mode %o as executable: %s", async (mode, executable) => {
    writeFileTree(scratch("file"), file("x", mode));
    // As an ordinary user, whoever may not read a file cannot import it.
    if ((mode & 0o400) === 0 && process.getuid?.() !== 0)
      fs.chmodSync(scratch("file"), mode | 0o400);
    const { node } = await ingestPath(memoryServices(), scratch("file"));
    expect(node).toMatchObject({ type: "file", size: 1n, executable });
  });

  it("drops modes, times and owners of directories", async () => {
    const one = await expectTreeImport(directory({ d: directory({ f: file("x") }) }));
    fs.chmodSync(scratch("tree/d"), 0o1711);
    fs.utimesSync(scratch("tree/d/f"), 1, 2);
    expect((await expectImport(scratch("tree"))).node).toEqual(one.node);
  });
});

describe("ingestPath() and links", () => {
  it("follows none in a tree", async () => {
    await expectTreeImport(
      directory({
        real: directory({ f: file("x") }),
        "to-directory": symlink("real"),
        "to-file": symlink("real/f"),
        dangling: symlink("nowhere/at/all"),
        loop: symlink("loop"),
        up: symlink(".."),
        root: symlink("/"),
      }),
    );
  });

  it("takes hard links as files", async () => {
    writeFileTree(scratch("tree"), directory({ a: file("same", 0o755), d: directory() }));
    fs.linkSync(scratch("tree/a"), scratch("tree/b"));
    fs.linkSync(scratch("tree/a"), scratch("tree/d/c"));
    const { progress } = await expectImport(scratch("tree"));
    expect(progress.files).toBe(3);
  });

  it("takes targets of any bytes and of the greatest length", async () => {
    const bytes = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1)).join("");
    await expectTreeImport(
      directory({
        bytes: symlink(bytes),
        invalid: symlink("\xff\xfe/\x80"),
        long: symlink("t".repeat(4095)),
      }),
    );
  });
});

describe("ingestPath() and names", () => {
  it("takes every byte that may be in one", async () => {
    const bytes = Array.from({ length: 255 }, (_, i) => i + 1).filter((byte) => byte !== 0x2f);
    const entries: Record<string, FileTree> = {};
    for (const byte of bytes) {
      const character = String.fromCharCode(byte);
      entries[`a${character}b`] = file(character);
      if (character !== ".")
        entries[character] = byte % 2 === 0 ? file() : directory({ [character]: file() });
    }
    await expectTreeImport(directory(entries));
  });

  it("puts them in byte order", async () => {
    const utf8 = (text: string) => Buffer.from(text).toString("latin1");
    const names = [
      "a",
      "A",
      "a.b",
      "a-b",
      "ab",
      "a0",
      "a b",
      "b",
      "B",
      "_",
      "~",
      " ",
      "...",
      ".a",
      "10",
      "9",
      "01",
    ]
      // In UTF-16 the second of these comes before the first, in bytes after it.
      .concat([
        utf8("\uffee"),
        utf8("\u{1f600}"),
        utf8("\u00e9"),
        utf8("e\u0301"),
        "\x7f",
        "\x80",
        "\xff",
        "\xc3",
      ]);
    const entries = Object.fromEntries(names.map((name) => [name, directory({ x: file(name) })]));
    const { node } = await expectTreeImport(directory(entries));
    expect(node).toMatchObject({ size: BigInt(2 * names.length) });
  });

  it("orders a directory by its name alone, as it stands before its slash", async () => {
    // As whole paths, "a-b" would come before "a/x", since "-" is less than "/".
    await expectTreeImport(
      directory({ a: directory({ x: file() }), "a-b": file(), "a.b": file() }),
    );
  });

  it("takes names of 255 bytes, of directories too", async () => {
    const long = "n".repeat(255);
    await expectTreeImport(
      directory({
        [long]: directory({ [long]: directory({ [`${"\xc3\xa9".repeat(127)}x`]: file("x") }) }),
      }),
    );
  });

  it("takes names that are properties of objects", async () => {
    await expectTreeImport(
      directory({ ["__proto__"]: file("p"), constructor: directory({ toString: file() }) }),
    );
  });
});

describe("ingestPath() and shapes", () => {
  it("takes a tree of 300 levels", async () => {
    let tree = directory({ bottom: file("deep") });
    for (let level = 0; level < 300; level++) tree = directory({ d: tree, e: file() });
    const { node } = await expectTreeImport(tree);
    expect(node).toMatchObject({ size: 601n });
  });

  it("takes a directory of 20,000 entries", async () => {
    fs.mkdirSync(scratch("tree"));
    for (let i = 0; i < 20_000; i++) fs.linkSync(hardLinkSource(), scratch(`tree/entry-${i}`));
    const { node } = await expectImport(scratch("tree"));
    expect(node).toMatchObject({ size: 20_000n });
  });

  it("takes the same directory in many places", async () => {
    const twin = directory({ f: file("same"), d: directory({ g: file("g") }) });
    await expectTreeImport(directory({ a: twin, b: twin, c: directory({ a: twin }) }));
  });

  it("takes a sparse file", async () => {
    const fd = fs.openSync(scratch("sparse"), "w");
    fs.ftruncateSync(fd, 3 * BATCH_BYTES);
    fs.writeSync(fd, "middle", 2 * BATCH_BYTES - 3);
    fs.closeSync(fd);
    await expectImport(scratch("sparse"));
  });

  function hardLinkSource(): string {
    const source = scratch("source");
    if (!fs.existsSync(source)) fs.writeFileSync(source, "x");
    return source;
  }
});

describe("ingestPath() and sizes", () => {
  it("takes files around the size where they travel alone", async () => {
    const sizes = [0, 1, SMALL_FILE_BYTES - 1, SMALL_FILE_BYTES, SMALL_FILE_BYTES + 1];
    await expectTreeImport(
      directory(
        Object.fromEntries(sizes.map((size) => [`f${size}`, file(seededBytes(size, size))])),
      ),
    );
  });

  it.each([-1, 0, 1])(
    "takes a batch that is filled up to its end and %i bytes more",
    async (more) => {
      const filling = BATCH_BYTES - SMALL_FILE_BYTES;
      const entries: Record<string, FileTree> = { z: file("next") };
      for (let left = filling + more, i = 0; left > 0; i++) {
        const content = patternBytes(Math.min(left, SMALL_FILE_BYTES - 1));
        entries[`f${String(i).padStart(3, "0")}`] = file(content);
        left -= content.byteLength;
      }
      entries["g"] = file(seededBytes(9, SMALL_FILE_BYTES));
      await expectTreeImport(directory(entries));
    },
  );

  it.each([-1, 0, 1])("takes a large file of whole batches and %i bytes", async (more) => {
    await expectTreeImport(
      directory({
        a: file("before"),
        b: file(patternBytes(2 * BATCH_BYTES + more)),
        c: file("after"),
      }),
    );
  });

  it("takes several large files in a row, the last one last", async () => {
    const large = (seed: number) => file(seededBytes(seed, SMALL_FILE_BYTES + seed * 1000), 0o755);
    await expectTreeImport(
      directory({
        d: directory({ a: large(1), b: large(2), c: large(3) }),
        e: large(4),
        f: directory(),
        g: large(1),
        h: directory({ i: large(5) }),
      }),
    );
  });

  it("takes one with content of more than all batches that may be ahead", async () => {
    const content = patternBytes(28 * 1024 * 1024);
    const entries = Object.fromEntries(
      Array.from({ length: 26 }, (_, i) => [`f${i}`, file(content.subarray(i, SMALL_FILE_BYTES))]),
    );
    await expectTreeImport(directory({ a: file(content), b: directory(entries) }));
  });
});

describe("ingestPath() into a local store", () => {
  it("stores what it stores in memory", async () => {
    await using store = await LocalStore.open(scratch("store"));
    await expectTreeImport(
      directory({
        empty: directory(),
        small: file("small"),
        same: file("small", 0o755),
        "no text": file(Uint8Array.of(0, 255)),
        large: file(patternBytes(3 * BATCH_BYTES)),
        "large again": file(patternBytes(3 * BATCH_BYTES)),
        d: directory({
          l: symlink("../small"),
          "\xff": file(seededBytes(2, SMALL_FILE_BYTES + 1)),
        }),
      }),
      store,
    );
  });

  it("finds it again when the store is opened again", async () => {
    writeFileTree(scratch("tree"), COMPLICATED);
    {
      await using store = await LocalStore.open(scratch("store"));
      await expectImport(scratch("tree"), store);
    }
    await using store = await LocalStore.open(scratch("store"), { readOnly: true });
    await expectStored(store, walkFileTree(scratch("tree")));
  });

  it("stores a file and a link that are roots", async () => {
    await using store = await LocalStore.open(scratch("store"));
    await expectTreeImport(file("root"), store);
    fs.rmSync(scratch("tree"));
    await expectTreeImport(symlink("root"), store);
  });
});

describe("ingestPath() of any tree", () => {
  it("gives what a plain walk gives", async () => {
    await fc.assert(
      fc.asyncProperty(fileTrees(), async (tree) => {
        writeFileTree(scratch("tree"), tree);
        try {
          await expectImport(scratch("tree"));
        } finally {
          fs.rmSync(scratch("tree"), { recursive: true });
        }
      }),
      { seed: 1, numRuns: 25 },
    );
  });
});

describe("ingestPath() and mount points", () => {
  it("crosses them", async ({ skip }) => {
    fs.mkdirSync(scratch("tree/mount"), { recursive: true });
    try {
      execFileSync("mount", ["-t", "tmpfs", "none", scratch("tree/mount")], { stdio: "ignore" });
    } catch {
      skip("mounting is not allowed here");
    }
    try {
      fs.writeFileSync(scratch("tree/mount/f"), "on another file system");
      const { progress } = await expectImport(scratch("tree"));
      expect(progress.files).toBe(1);
    } finally {
      execFileSync("umount", [scratch("tree/mount")]);
    }
  });
});
