import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { concatBytes, copyBytes, toLatin1 } from "../bytes.js";
import { expectSameBytes } from "../testing/expectations.js";
import {
  directory,
  type FileTree,
  file,
  patternBytes,
  symlink,
  writeFileTree,
} from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { ImportError, type ImportErrorReason } from "./import-error.js";
import { type TreeEventVisitor, visitTreeEvents } from "./tree-events.js";
import { BATCH_BYTES, readTree, SMALL_FILE_BYTES, type TreeBatch } from "./tree-reader.js";

const scratch = scratchDirectory();
const LARGE_CONTENT = patternBytes(2 * BATCH_BYTES + 5);
const LARGE = file(LARGE_CONTENT);
/** Before every test: nothing that a test makes looks old. */
const NOW_NS = BigInt(Date.now()) * 1_000_000n;

afterEach(() => {
  vi.restoreAllMocks();
});

function freshMemory(): Uint8Array {
  return new Uint8Array(BATCH_BYTES);
}

/** What a reader said, one line an event; contents as they are. */
class Transcript implements TreeEventVisitor {
  readonly lines: string[] = [];
  readonly contents: Uint8Array[] = [];
  #content: Uint8Array = new Uint8Array(0);

  add({ events, memory, length, piece }: TreeBatch): void {
    this.#content = memory.subarray(0, length);
    if (piece !== undefined) this.contents.push(copyBytes(this.#content));
    visitTreeEvents(events, this);
    expect(piece === undefined ? this.#content.byteLength : 0).toBe(0);
  }

  beginDirectory(): void {
    this.lines.push("(");
  }
  entry(name: Uint8Array): void {
    this.lines.push(toLatin1(name));
  }
  endDirectory(): void {
    this.lines.push(")");
  }
  symlink(target: Uint8Array): void {
    this.lines.push(`-> ${toLatin1(target)}`);
  }
  file(size: number, executable: boolean): void {
    this.lines.push(`${size}${executable ? "x" : ""}`);
    this.contents.push(copyBytes(this.#content.subarray(0, size)));
    this.#content = this.#content.subarray(size);
  }
  largeFile(size: number, executable: boolean): void {
    this.lines.push(`large ${size}${executable ? "x" : ""}`);
  }
}

/** Reads a tree to its end; `between` runs after each batch. */
function read(path: string, between: (batches: number) => void = () => {}): Transcript {
  const transcript = new Transcript();
  let batches = 0;
  for (const batch of readTree(path, freshMemory, NOW_NS)) {
    transcript.add(batch);
    between(++batches);
  }
  return transcript;
}

function expectRefusal(
  action: () => unknown,
  reason: ImportErrorReason,
  path: string,
): ImportError {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    expect([error.reason, error.path]).toEqual([reason, path]);
    return error;
  }
  expect.fail("It was read");
}

/** Writes a file so that its time stamps show it, however coarse the clock of the file system is. */
function rewrite(path: string, content: string | Uint8Array): void {
  const before = fs.statSync(path, { bigint: true }).ctimeNs;
  do fs.writeFileSync(path, content);
  while (fs.statSync(path, { bigint: true }).ctimeNs === before);
}

/** Calls `action` with a running number whenever a file has been read from `position` on. */
function afterReads(action: (reads: number) => void, position = 0): void {
  const { readSync } = fs;
  let reads = 0;
  const watched = (
    fd: number,
    memory: Uint8Array,
    offset: number,
    length: number,
    from: number,
  ) => {
    const count = readSync(fd, memory, offset, length, from);
    if (from === position) action(++reads);
    return count;
  };
  vi.spyOn(fs, "readSync").mockImplementation(watched as typeof readSync);
}

/** @returns what tells how many files that reading opened are open */
function watchOpenFiles(): () => number {
  const open = new Set<number>();
  const { openSync, closeSync } = fs;
  vi.spyOn(fs, "openSync").mockImplementation((...args) => {
    const fd = openSync(...args);
    if (typeof args[1] === "number" && (args[1] & fs.constants.O_NOFOLLOW) !== 0) open.add(fd);
    return fd;
  });
  vi.spyOn(fs, "closeSync").mockImplementation((fd) => {
    open.delete(fd);
    closeSync(fd);
  });
  return () => open.size;
}

/** Does `action` once, right before the names in the directory at `path` are read. */
function beforeListing(path: string, action: () => void): void {
  const { readdirSync } = fs;
  let left = 1;
  const watched = (...args: Parameters<typeof readdirSync>) => {
    if (String(args[0]) === path && left-- > 0) action();
    return readdirSync(...args);
  };
  vi.spyOn(fs, "readdirSync").mockImplementation(watched as typeof readdirSync);
}

function systemError(code: string, errno: number): Error {
  return Object.assign(new Error(`${code}: as the system says, read`), { code, errno });
}

describe("readTree()", () => {
  it("tells a tree in the order of a NAR", () => {
    writeFileTree(
      scratch("tree"),
      directory({
        b: directory({ x: file("in b", 0o755), a: directory() }),
        a: file("in a"),
        "b.c": symlink("b/x"),
        c: LARGE,
        d: file(),
      }),
    );
    const { lines, contents } = read(scratch("tree"));
    expect(lines.join(" ")).toBe(
      `( a 4 b ( a ( ) x 4x ) b.c -> b/x c large ${LARGE_CONTENT.byteLength} d 0 )`,
    );
    expectSameBytes(concatBytes(contents), concatBytes([Buffer.from("in ain b"), LARGE_CONTENT]));
  });

  it("puts names in byte order, in whatever order the file system lists them", () => {
    const names = ["a", "B", "\xff", "ab", "\x01", "a.", "a\xc3\xa9", "~"];
    writeFileTree(scratch("tree"), directory(Object.fromEntries(names.map((n) => [n, file(n)]))));
    const { readdirSync } = fs;
    for (const order of [names, [...names].reverse(), [...names].sort()]) {
      const listed = (...args: Parameters<typeof readdirSync>) =>
        [...(readdirSync(...args) as unknown as fs.Dirent[])].sort(
          (a, b) => order.indexOf(a.name) - order.indexOf(b.name),
        );
      vi.spyOn(fs, "readdirSync").mockImplementation(listed as never);
      const found = read(scratch("tree")).lines.filter((_, i) => i % 2 === 1);
      expect(found.slice(0, -1)).toEqual(["\x01", "B", "a", "a.", "ab", "a\xc3\xa9", "~", "\xff"]);
      vi.restoreAllMocks();
    }
  });

  it("gives small files together and pieces of large ones apart", () => {
    writeFileTree(
      scratch("tree"),
      directory({ a: file("a"), b: file("b"), c: LARGE, d: file("d") }),
    );
    const batches = [...readTree(scratch("tree"), freshMemory, NOW_NS)];
    expect(batches.map(({ length, piece }) => [length, piece])).toEqual([
      [2, undefined],
      [BATCH_BYTES, "more"],
      [BATCH_BYTES, "more"],
      [5, "last"],
      [1, undefined],
    ]);
  });

  it("asks for memory at most once between two batches", () => {
    const entries: Record<string, FileTree> = { large: LARGE };
    for (let i = 0; i < 40; i++) entries[`f${i}`] = file(new Uint8Array(SMALL_FILE_BYTES - i));
    for (let i = 0; i < 5; i++) entries[`g${i}`] = symlink("x");
    writeFileTree(scratch("tree"), directory(entries));
    let taken = 0;
    const counts: number[] = [];
    const takeMemory = () => {
      taken += 1;
      return freshMemory();
    };
    for (const _ of readTree(scratch("tree"), takeMemory, NOW_NS)) {
      counts.push(taken);
      taken = 0;
    }
    expect(counts.length).toBeGreaterThanOrEqual(5);
    expect(Math.max(...counts)).toBe(1);
    expect(taken).toBe(0);
  });

  it("hands a batch over when its events are many, though it has no content", () => {
    const target = symlink("t".repeat(4000));
    const names = Array.from({ length: 700 }, (_, i) => `link${i}`);
    writeFileTree(
      scratch("tree"),
      directory(Object.fromEntries(names.map((name) => [name, target]))),
    );
    const lengths = [...readTree(scratch("tree"), freshMemory, NOW_NS)].map(
      ({ events }) => events.byteLength,
    );
    expect(lengths.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...lengths)).toBeLessThan(1100 * 1024);
  });
});

describe("readTree() of a small file that changes", () => {
  const path = () => scratch("tree/f");

  it.each([
    ["grows", "longer than before"],
    ["shrinks", "s"],
    ["becomes empty", ""],
    ["changes and keeps its size", "BEFORE"],
    ["becomes large", new Uint8Array(SMALL_FILE_BYTES + 1)],
  ])("reads it again when it %s once", (_, content) => {
    writeFileTree(scratch("tree"), directory({ a: file("a"), f: file("before"), g: file("g") }));
    afterReads((reads) => {
      if (reads === 2) rewrite(path(), content);
    });
    const { contents } = read(scratch("tree"));
    expect(contents.map((each) => Buffer.from(each).toString())).toEqual([
      "a",
      Buffer.from(content).toString(),
      "g",
    ]);
  });

  it.each([
    ["grows", (reads: number) => "x".repeat(10 + reads)],
    ["shrinks", (reads: number) => "x".repeat(10 - reads)],
    ["changes and keeps its size", (reads: number) => `number ${reads}`],
  ])("refuses it when it %s at every look", (_, content) => {
    writeFileTree(scratch("tree"), directory({ f: file("before it begins") }));
    let reads = 0;
    afterReads(() => rewrite(path(), content(++reads)));
    const error = expectRefusal(() => read(scratch("tree")), "changed", path());
    expect(error.code).toBe("UNAVAILABLE");
    expect(reads).toBe(3);
  });

  it("takes its bytes as they are when only its mode or its age changes", () => {
    writeFileTree(scratch("tree"), directory({ f: file("same") }));
    afterReads((reads) => {
      if (reads === 1) fs.chmodSync(path(), 0o755);
    });
    expect(read(scratch("tree")).lines).toEqual(["(", "f", "4x", ")"]);
  });
});

describe("readTree() of a large file that changes", () => {
  const path = () => scratch("tree/f");

  it.each([
    ["grows", () => fs.appendFileSync(path(), "x")],
    ["shrinks behind what is read", () => fs.truncateSync(path(), BATCH_BYTES + 1)],
    ["shrinks before what is read", () => fs.truncateSync(path(), 1)],
    ["changes and keeps its size", () => rewrite(path(), new Uint8Array(LARGE_CONTENT.byteLength))],
    ["gets another mode", () => fs.chmodSync(path(), 0o755)],
    ["loses its name to another", () => fs.renameSync(scratch("other"), path())],
  ])("refuses it when it %s between two pieces", (_, change) => {
    writeFileTree(scratch("other"), LARGE);
    writeFileTree(scratch("tree"), directory({ f: LARGE }));
    const openFiles = watchOpenFiles();
    const readChanging = () =>
      read(scratch("tree"), (batches) => {
        expect(openFiles()).toBe(1);
        if (batches === 2) change();
      });
    expectRefusal(readChanging, "changed", path());
    expect(openFiles()).toBe(0);
  });

  it("gives no piece that is not all content", () => {
    writeFileTree(scratch("tree"), directory({ f: LARGE }));
    let batches = 0;
    const readShrinking = () =>
      read(scratch("tree"), () => {
        if (++batches === 2) fs.truncateSync(path(), 2 * BATCH_BYTES - 1);
      });
    expectRefusal(readShrinking, "changed", path());
    expect(batches).toBe(2);
  });

  it("closes it when reading ends early", () => {
    writeFileTree(scratch("tree"), directory({ f: LARGE }));
    const openFiles = watchOpenFiles();
    const batches = readTree(scratch("tree"), freshMemory, NOW_NS);
    batches.next();
    batches.next();
    expect(openFiles()).toBe(1);
    batches.return();
    expect(openFiles()).toBe(0);
  });
});

describe("readTree() of a tree that changes", () => {
  /** A tree whose reading pauses in `d`, at a large file; then `change` runs. */
  function readWhile(change: () => void): Transcript {
    writeFileTree(
      scratch("tree"),
      directory({ d: directory({ a: LARGE, f: file("f") }), e: file("e") }),
    );
    return read(scratch("tree"), (batches) => {
      if (batches === 2) change();
    });
  }

  it.each([
    ["a link", () => fs.symlinkSync("a", scratch("tree/d/f"))],
    ["a directory", () => fs.mkdirSync(scratch("tree/d/f"))],
    ["nothing", () => {}],
  ])("refuses a file that is replaced by %s", (_, make) => {
    const change = () => {
      fs.rmSync(scratch("tree/d/f"));
      make();
    };
    expectRefusal(() => readWhile(change), "changed", scratch("tree/d/f"));
  });

  it("refuses a file that is replaced by a fifo, without waiting for a writer", () => {
    const change = () => {
      fs.rmSync(scratch("tree/d/f"));
      execFileSync("mkfifo", [scratch("tree/d/f")]);
    };
    expectRefusal(() => readWhile(change), "unsupported-type", scratch("tree/d/f"));
  });

  it("takes the new file when a file is replaced by another before it is looked at", () => {
    const { lines } = readWhile(() => {
      fs.writeFileSync(scratch("new"), "another");
      fs.renameSync(scratch("new"), scratch("tree/d/f"));
    });
    expect(lines).toContain("7");
  });

  it("does not see what comes into a directory after its names were read", () => {
    const { lines } = readWhile(() => {
      fs.writeFileSync(scratch("tree/d/g"), "late");
      fs.writeFileSync(scratch("tree/f"), "late");
    });
    expect(lines.slice(-6)).toEqual(["f", "1", ")", "e", "1", ")"]);
  });

  it.each([
    ["another directory", () => writeFileTree(scratch("tree/d"), directory({ f: file("F") }))],
    ["a link to another directory", () => fs.symlinkSync("../other", scratch("tree/d"))],
    ["a link to itself", () => fs.symlinkSync("../moved", scratch("tree/d"))],
  ])("refuses a directory that is replaced by %s while it is open", (_, make) => {
    const change = () => {
      writeFileTree(scratch("other"), directory({ f: file("F") }));
      fs.renameSync(scratch("tree/d"), scratch("moved"));
      make();
    };
    expectRefusal(() => readWhile(change), "changed", scratch("tree/d"));
  });

  it.each([
    ["a link", () => fs.symlinkSync("../other", scratch("tree/d"))],
    ["a file", () => fs.writeFileSync(scratch("tree/d"), "x")],
    ["another directory", () => fs.renameSync(scratch("other"), scratch("tree/d"))],
    ["nothing", () => {}],
  ])("refuses a directory that is replaced by %s before its names are read", (_, make) => {
    writeFileTree(scratch("other"), directory({ f: file("F") }));
    writeFileTree(scratch("tree"), directory({ d: directory({ f: file("f") }) }));
    beforeListing(scratch("tree/d"), () => {
      fs.renameSync(scratch("tree/d"), scratch("moved"));
      make();
    });
    expectRefusal(() => read(scratch("tree")), "changed", scratch("tree/d"));
  });
});

describe("readTree() and failures of the system", () => {
  it.skipIf(process.platform !== "linux")(
    "refuses a file that holds more than it says, as those of /proc do",
    () => {
      expect(fs.statSync("/proc/version").size).toBe(0);
      expectRefusal(() => read("/proc/version"), "changed", "/proc/version");
    },
  );

  it("names the file that cannot be read, and closes it", () => {
    writeFileTree(scratch("tree"), directory({ f: file("x") }));
    const openFiles = watchOpenFiles();
    vi.spyOn(fs, "readSync").mockImplementation(() => {
      throw systemError("EIO", -5);
    });
    const error = expectRefusal(() => read(scratch("tree")), "io", scratch("tree/f"));
    expect(error.code).toBe("STORAGE");
    expect(error.message).toBe(`Cannot import "${scratch("tree/f")}": i/o error (EIO)`);
    expect(error.cause).toMatchObject({ code: "EIO" });
    expect(openFiles()).toBe(0);
  });

  it("names a large file that cannot be read to its end, and closes it", () => {
    writeFileTree(scratch("tree"), directory({ f: LARGE }));
    const openFiles = watchOpenFiles();
    afterReads(() => {
      throw systemError("EIO", -5);
    }, BATCH_BYTES);
    expectRefusal(() => read(scratch("tree")), "io", scratch("tree/f"));
    expect(openFiles()).toBe(0);
  });

  it.each(["", "t".repeat(4096), "a\0b"])("refuses a link whose target cannot be one", (target) => {
    writeFileTree(scratch("tree"), directory({ l: symlink("x") }));
    vi.spyOn(fs, "readlinkSync").mockReturnValue(target);
    expectRefusal(() => read(scratch("tree")), "invalid", scratch("tree/l"));
  });

  it("refuses a directory with more entries than a Directory may have, before it reads one", () => {
    writeFileTree(scratch("tree"), directory({ d: directory() }));
    const { readdirSync } = fs;
    const entries = new Array(1_000_001).fill({ name: "same", isFile: () => true });
    vi.spyOn(fs, "readdirSync").mockImplementation(((...args: Parameters<typeof readdirSync>) =>
      args[0] === scratch("tree/d") ? entries : readdirSync(...args)) as never);
    expectRefusal(() => read(scratch("tree")), "invalid", scratch("tree/d"));
  });

  // Where a file system does not tell types with names, Node finds them out, and fails over names
  // that are not ASCII.
  it("reads a directory whose names come without types", () => {
    writeFileTree(
      scratch("tree"),
      directory({ "\xc3\xa9": directory({ "\xff": file("x"), l: symlink("\xff") }), f: LARGE }),
    );
    const plain = read(scratch("tree")).lines;
    const { readdirSync } = fs;
    let refused = 0;
    vi.spyOn(fs, "readdirSync").mockImplementation(((...args: Parameters<typeof readdirSync>) => {
      if (args[1] instanceof Object && "withFileTypes" in args[1]) {
        refused += 1;
        throw new TypeError('The "path" argument must be of type string');
      }
      return readdirSync(...args);
    }) as never);
    expect(read(scratch("tree")).lines).toEqual(plain);
    expect(refused).toBe(2);
  });
});
