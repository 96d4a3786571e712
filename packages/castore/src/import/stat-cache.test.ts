import fs from "node:fs";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MemoryBlobService } from "../blobservice/memory.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { LocalStore } from "../localstore/local-store.js";
import { RecordingObserver, walkFileTree } from "../testing/file-tree-walker.js";
import {
  directory,
  type FileTree,
  file,
  fileTrees,
  rawBytes,
  symlink,
  writeFileTree,
} from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { chooseComparer } from "./choose-comparer.js";
import type { IngestOptions, IngestResult, IngestServices, StatCache } from "./ingest.js";
import { ingestPath } from "./ingest-path.js";
import { LstatComparer } from "./lstat-comparer.js";
import type { StatComparer } from "./stat-comparer.js";
import { loadStatx } from "./statx.js";
import { StatxComparer } from "./statx-comparer.js";

vi.mock(import("./choose-comparer.js"), () => ({ chooseComparer: vi.fn() }));

const scratch = scratchDirectory();

class MemoryStatCache implements StatCache {
  readonly records = new Map<string, Uint8Array>();

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.records.get(Buffer.from(key).toString("latin1"));
  }

  async putMany(entries: readonly { key: Uint8Array; value: Uint8Array }[]): Promise<void> {
    for (const { key, value } of entries)
      this.records.set(Buffer.from(key).toString("latin1"), value);
  }
}

let services: IngestServices;
let statCache: MemoryStatCache;

beforeEach(() => {
  services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
  statCache = new MemoryStatCache();
  // Time stamps count when they lie some seconds back: the tests see the files from a later time.
  const now = Date.now;
  vi.spyOn(Date, "now").mockImplementation(() => now() + 10_000);
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Waits, without sleeping, until the file system's clock has moved on. */
function passTick(): void {
  const probe = scratch("probe");
  const touch = () => {
    fs.writeFileSync(probe, "");
    return fs.statSync(probe, { bigint: true }).ctimeNs;
  };
  const before = touch();
  while (touch() === before);
}

/** Imports with the cache; what comes out must be what a plain walk finds. */
async function expectImport(
  observed: boolean,
  path = scratch("tree"),
  options: IngestOptions = {},
): Promise<IngestResult> {
  const expected = walkFileTree(path, options.sizeRule);
  const observer = new RecordingObserver();
  const result = await ingestPath(services, rawBytes(path), { statCache, observer, ...options });
  expect(result.node).toEqual(expected.node);
  expect(result.observed).toBe(observed);
  expect(result.progress.entries).toBe(expected.entries);
  expect(observer.events).toEqual(observed ? expected.events : []);
  return result;
}

const TREE = directory({
  a: directory({ b: directory({ c: directory({ deep: file("deep") }), l: symlink("c") }) }),
  empty: directory(),
  "\xff\n": directory({ "\xc3\xa9": file("not ASCII") }),
  f: file("content"),
  x: file("run", 0o755),
});

/** A directory whose record does not fit into that of its parent. */
const LARGE = directory(
  Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`link-${i}`, symlink("x")])),
);

const statx = loadStatx();
const COMPARERS: [string, boolean, () => StatComparer][] = [
  ["with lstat", false, () => new LstatComparer()],
  [
    "with statx (needs Linux and koffi)",
    statx === undefined,
    () => new StatxComparer(statx ?? expect.fail()),
  ],
];

describe.each(COMPARERS)("%s", (_, isMissing, create) => {
  beforeEach(({ skip }) => {
    if (isMissing) skip("no statx here");
    vi.mocked(chooseComparer).mockImplementation(create);
  });

  describe("ingestPath() of a tree that has not changed", () => {
    it("reads nothing and gives the same", async () => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      const calls = (["readdirSync", "readlinkSync", "readSync"] as const).map((name) =>
        vi.spyOn(fs, name),
      );
      const result = await ingestPath(services, scratch("tree"), { statCache });
      for (const call of calls) expect(call).not.toHaveBeenCalled();
      expect(result.progress).toMatchObject({ files: 0, bytes: 0 });
      vi.restoreAllMocks();
      expect(result.node).toEqual(walkFileTree(scratch("tree")).node);
      expect(result.observed).toBe(false);
    });

    it("counts the same entries", async () => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      await expectImport(false);
      await expectImport(false);
    });

    it("reads a small directory of it, which is imported by itself, once more", async () => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      for (const path of [scratch("tree/a/b"), `${scratch("tree")}/\xff\n`]) {
        await expectImport(true, path);
        await expectImport(false, path);
      }
      await expectImport(false);
    });

    it("knows a large directory in it, too", async () => {
      writeFileTree(scratch("tree"), directory({ a: directory({ large: LARGE }) }));
      await expectImport(true);
      // What is part of a closure in the store need not be a root of one: it is found by its digest.
      await expectImport(false, scratch("tree/a/large"));
      await expectImport(false);
    });

    it("knows it when its path is given in another way", async () => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      const result = await ingestPath(services, `${scratch()}/empty/..//tree/`, { statCache });
      expect(result.observed).toBe(false);
    });

    it("imports files and links that are roots each time", async () => {
      writeFileTree(scratch("tree"), directory({ f: file("x"), l: symlink("f") }));
      for (const path of [scratch("tree/f"), scratch("tree/l")]) {
        await expectImport(true, path);
        await expectImport(true, path);
      }
      expect(statCache.records.size).toBe(0);
    });

    it("keeps its records in the index of a local store", async () => {
      writeFileTree(scratch("tree"), TREE);
      {
        await using store = await LocalStore.open(scratch("store"));
        services = store;
        await expectImport(true, scratch("tree"), { statCache: store.derived("stat") });
      }
      await using store = await LocalStore.open(scratch("store"));
      services = store;
      await expectImport(false, scratch("tree"), { statCache: store.derived("stat") });
    });
  });

  describe("ingestPath() of a tree that has changed", () => {
    const at = (name: string) => scratch(`tree/${name}`);
    const restoringTimes = (path: string, change: () => void): void => {
      const { atime, mtime } = fs.statSync(path);
      change();
      fs.utimesSync(path, atime, mtime);
    };

    const CHANGES: [string, () => void][] = [
      ["other content of the same size", () => fs.writeFileSync(at("f"), "CONTENT")],
      ["more content", () => fs.appendFileSync(at("f"), "x")],
      ["less content", () => fs.truncateSync(at("f"))],
      ["a file that became executable", () => fs.chmodSync(at("f"), 0o755)],
      ["a file that is not executable any more", () => fs.chmodSync(at("x"), 0o644)],
      ["another name", () => fs.renameSync(at("f"), at("g"))],
      ["a new file", () => fs.writeFileSync(at("new"), "")],
      ["a new directory", () => fs.mkdirSync(at("a/b/new"))],
      ["a new link", () => fs.symlinkSync("x", at("empty/new"))],
      ["a file less", () => fs.rmSync(at("f"))],
      ["a directory less", () => fs.rmdirSync(at("empty"))],
      ["a directory in place of a file", () => [fs.rmSync(at("f")), fs.mkdirSync(at("f"))]],
      [
        "a file in place of a directory",
        () => [fs.rmdirSync(at("empty")), fs.writeFileSync(at("empty"), "")],
      ],
      ["a link in place of a file", () => [fs.rmSync(at("f")), fs.symlinkSync("x", at("f"))]],
      ["another target", () => [fs.rmSync(at("a/b/l")), fs.symlinkSync("C", at("a/b/l"))]],
      [
        "another file by the same name",
        () => [fs.writeFileSync(scratch("o"), "CONTENT"), fs.renameSync(scratch("o"), at("f"))],
      ],
      ["other content far down", () => fs.writeFileSync(at("a/b/c/deep"), "DEEP")],
      ["a new file far down", () => fs.writeFileSync(at("a/b/c/new"), "")],
      [
        "other content, its time put back",
        () => restoringTimes(at("f"), () => fs.writeFileSync(at("f"), "CONTENT")),
      ],
      [
        "another name and back, its directory's time put back",
        () =>
          restoringTimes(at("a/b/c"), () => fs.renameSync(at("a/b/c/deep"), at("a/b/c/deeper"))),
      ],
      [
        "two names exchanged",
        () => [
          fs.renameSync(at("f"), at("t")),
          fs.renameSync(at("x"), at("f")),
          fs.renameSync(at("t"), at("x")),
        ],
      ],
      [
        "two directories exchanged",
        () => [
          fs.renameSync(at("a/b"), scratch("t")),
          fs.renameSync(at("empty"), at("a/b")),
          fs.renameSync(scratch("t"), at("empty")),
        ],
      ],
      [
        "another tree by the same name",
        () => [
          fs.renameSync(at(""), scratch("old")),
          writeFileTree(at("").slice(0, -1), directory({ f: file("other") })),
        ],
      ],
      [
        "a file in place of the tree",
        () => [fs.renameSync(at(""), scratch("old")), fs.writeFileSync(scratch("tree"), "file")],
      ],
    ];

    it.each(CHANGES)("notices %s", async (_, change) => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      passTick();
      change();
      await expectImport(true);
      // And again from what it remembers now, unless a file has come in place of the tree.
      await expectImport(fs.lstatSync(scratch("tree")).isFile());
    });

    it.each([
      ["a new time", () => fs.utimesSync(at("f"), 1, 1)],
      ["another mode of a directory", () => fs.chmodSync(at("a"), 0o700)],
      ["another link to a file", () => fs.linkSync(at("f"), scratch("f"))],
    ])("reads it again for %s, and finds the same", async (_, change) => {
      writeFileTree(scratch("tree"), TREE);
      const first = await expectImport(true);
      passTick();
      change();
      expect((await expectImport(true)).node).toEqual(first.node);
    });

    it("notices what was imported as a part of it meanwhile", async () => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      passTick();
      fs.writeFileSync(at("a/b/c/deep"), "DEEP");
      await expectImport(true, at("a/b"));
      await expectImport(false, at("a/b"));
      await expectImport(true);
      await expectImport(false);
    });

    it("notices what was imported as a large part of it meanwhile", async () => {
      writeFileTree(scratch("tree"), directory({ a: LARGE }));
      await expectImport(true);
      expect(statCache.records.size).toBe(2);
      passTick();
      fs.writeFileSync(at("a/new"), "");
      await expectImport(true, at("a"));
      await expectImport(false, at("a"));
      await expectImport(true);
      await expectImport(false);
    });

    it("notices what was imported as a part of it by an import that failed", async () => {
      writeFileTree(scratch("tree"), directory({ a: LARGE, b: TREE }));
      await expectImport(true);
      passTick();
      fs.writeFileSync(at("a/new"), "");
      // As if the records below the root had been written, and it had been killed then.
      const killed = new MemoryStatCache();
      await expectImport(true, scratch("tree"), { statCache: killed });
      for (const [key, record] of killed.records)
        if (key !== scratch("tree")) statCache.records.set(key, record);
      await expectImport(true);
    });
  });

  describe("ingestPath() and records that do not serve", () => {
    it("remembers nothing that is younger than the clock of a file system may be coarse", async () => {
      vi.restoreAllMocks();
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      expect(statCache.records.size).toBe(0);
      await expectImport(true);
    });

    it("remembers the old part of a tree only", async () => {
      const young = Math.floor(Date.now() / 1000) + 3600;
      writeFileTree(scratch("tree"), TREE);
      fs.utimesSync(scratch("tree/a/b/c/deep"), young, young);
      await expectImport(true);
      await expectImport(true);
      fs.utimesSync(scratch("tree/a/b/c/deep"), 1, 1);
      await expectImport(true);
      await expectImport(false);
    });

    it("does not mix up the rules for sizes", async () => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true, scratch("tree"), { sizeRule: "documented" });
      await expectImport(true, scratch("tree"), { sizeRule: "doubled" });
      await expectImport(false, scratch("tree"), { sizeRule: "doubled" });
      await expectImport(true, scratch("tree"), { sizeRule: "documented" });
    });

    it("imports again into a store that does not have the Directory", async () => {
      writeFileTree(scratch("tree"), TREE);
      await expectImport(true);
      services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
      await expectImport(true);
      await expectImport(false);
    });

    it("imports again when any record of the tree is missing or is another's", async () => {
      writeFileTree(scratch("tree"), directory({ a: LARGE, b: LARGE }));
      await expectImport(true);
      const records = [...statCache.records];
      expect(records).toHaveLength(3);
      for (const [key] of records) {
        statCache.records.delete(key);
        await expectImport(true);
        statCache.records.set(key, records[0]?.[1] as Uint8Array);
        await expectImport(key !== records[0]?.[0]);
      }
    });

    it("gives what is on disk, whichever byte of a record is damaged", async () => {
      writeFileTree(
        scratch("tree"),
        directory({ d: directory({ f: file("f") }), l: symlink("d") }),
      );
      await expectImport(true);
      const expected = walkFileTree(scratch("tree")).node;
      for (const [key, record] of [...statCache.records]) {
        for (let at = 0; at < record.byteLength; at += 5) {
          const damaged = Uint8Array.from(record);
          damaged[at] = (damaged[at] as number) ^ 1;
          statCache.records.set(key, damaged);
          const { node } = await ingestPath(services, scratch("tree"), { statCache });
          expect(node).toEqual(expected);
        }
      }
    });

    it("lets a failing cache fail the import", async () => {
      writeFileTree(scratch("tree"), TREE);
      const get = new Error("cannot get");
      const put = new Error("cannot put");
      const importWith = (cache: StatCache) =>
        ingestPath(services, scratch("tree"), { statCache: cache });
      const failing = {
        get: () => Promise.reject(get),
        putMany: () => Promise.reject(put),
      };
      await expect(importWith(failing)).rejects.toBe(get);
      await expect(importWith({ ...failing, get: async () => undefined })).rejects.toBe(put);
    });
  });

  describe("ingestPath() while it compares", () => {
    it("lets other things happen, and ends when it is told to", async () => {
      const entries = Object.fromEntries(
        Array.from({ length: 3000 }, (_, i) => [`l${i}`, symlink("x")]),
      );
      writeFileTree(scratch("tree"), directory(entries));
      await expectImport(true);
      const controller = new AbortController();
      const reason = new Error("stop");
      setImmediate(() => controller.abort(reason));
      await expect(
        ingestPath(services, scratch("tree"), { statCache, signal: controller.signal }),
      ).rejects.toBe(reason);
    });
  });

  describe("ingestPath() after any change", () => {
    it("gives what a plain walk gives", async () => {
      const changes = fc.array(fc.integer({ min: 0, max: 2 ** 31 }), { maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(fileTrees(8), changes, async (tree, seeds) => {
          writeFileTree(scratch("tree"), tree);
          try {
            await expectImport(true);
            passTick();
            for (const seed of seeds) changeSomething(new SeededRandom(seed));
            await expectImport(seeds.length > 0);
            await expectImport(false);
          } finally {
            fs.rmSync(scratch("tree"), { recursive: true });
          }
        }),
        { seed: 2, numRuns: 30 },
      );
    });

    /** Adds, removes, renames or changes one thing in the tree. */
    function changeSomething(random: SeededRandom): void {
      const inside = listInside("");
      const directories = inside.filter((name) => stat(name).isDirectory());
      const parent = random.pick(["", ...directories]);
      const name = `${parent}/new-${random.below(1000)}`;
      if (inside.length === 0 || random.below(3) === 0) {
        const made: FileTree[] = [file("new"), symlink("new"), directory({ new: file("new") })];
        writeFileTree(scratch("tree") + name, random.pick(made));
        return;
      }
      const victim = random.pick(inside);
      const path = rawBytes(scratch("tree") + victim);
      if (random.below(3) === 0) fs.rmSync(path, { recursive: true });
      else if (stat(victim).isFile()) fs.writeFileSync(path, random.bytes(8));
      else if (!`${name}/`.startsWith(`${victim}/`))
        fs.renameSync(path, rawBytes(scratch("tree") + name));
      else fs.chmodSync(path, 0o700);
    }

    /** Paths of all that is in a directory of the tree, each with a slash before. */
    function listInside(parent: string): string[] {
      const names = fs.readdirSync(rawBytes(scratch("tree") + parent), { encoding: "latin1" });
      return names
        .map((name) => `${parent}/${name}`)
        .flatMap((path) => [path, ...(stat(path).isDirectory() ? listInside(path) : [])]);
    }

    function stat(name: string): fs.Stats {
      return fs.lstatSync(rawBytes(scratch("tree") + name));
    }
  });
});
