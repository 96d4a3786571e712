import { describe, expect, it } from "vitest";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { InvalidDirectoryError } from "../nodes/directory.js";
import { InvalidNameError } from "../path/component.js";
import { directoryFixture } from "../testing/fixtures.js";
import { TreeAssembler } from "./tree-assembler.js";

const EMPTY_BLOB = blake3(new Uint8Array(0));
const RECORD = Uint8Array.of(1, 2, 3);

function assembleComplicated(assembler: TreeAssembler): void {
  assembler.expectDigests([EMPTY_BLOB, EMPTY_BLOB]);
  assembler.beginDirectory();
  assembler.entry(Buffer.from(".keep"));
  assembler.file(0, false);
  assembler.entry(Buffer.from("aa"));
  assembler.symlink(Buffer.from("/nix/store/somewhereelse"));
  assembler.entry(Buffer.from("keep"));
  assembler.beginDirectory();
  assembler.entry(Buffer.from(".keep"));
  assembler.file(0, false);
  assembler.endDirectory(RECORD);
  assembler.endDirectory(RECORD);
}

describe("TreeAssembler", () => {
  it.each([
    ["documented", "COMPLICATED"],
    ["doubled", "COMPLICATED (doubled)"],
  ] as const)("makes the known Directories by the %s rule, children first", (rule, name) => {
    const assembler = new TreeAssembler(rule);
    assembleComplicated(assembler);
    const completed = assembler.takeCompleted();
    expect(completed.map(({ node }) => node.digest.toHex())).toEqual([
      directoryFixture("WITH_KEEP").digest,
      directoryFixture(name).digest,
    ]);
    expect(completed.map(({ path }) => path.map((each) => each.toString()))).toEqual([
      ["keep"],
      [],
    ]);
    expect(assembler.root).toEqual(completed[1]?.node);
    expect(assembler.takeCompleted()).toEqual([]);
  });

  it("keeps records whose bytes are used again", () => {
    const assembler = new TreeAssembler("documented");
    const record = Uint8Array.from(RECORD);
    assembler.beginDirectory();
    assembler.endDirectory(record);
    record.fill(0xff);
    expect(assembler.takeCompleted()[0]?.record).toEqual(RECORD);
  });

  it("puts a large file where its event was", () => {
    const assembler = new TreeAssembler("documented");
    assembler.beginDirectory();
    assembler.entry(Buffer.from("large"));
    assembler.largeFile();
    assembler.placeLargeFile(EMPTY_BLOB, 5, true);
    assembler.endDirectory(RECORD);
    const [{ directory } = expect.fail()] = assembler.takeCompleted();
    expect(directory.entries.map(({ name, node }) => [name.toString(), node])).toEqual([
      ["large", { type: "file", digest: EMPTY_BLOB, size: 5n, executable: true }],
    ]);
  });

  it("has no root before the tree is complete", () => {
    const assembler = new TreeAssembler("documented");
    assembler.beginDirectory();
    expect(() => assembler.root).toThrow(TypeError);
  });

  it("refuses more files than digests", () => {
    const assembler = new TreeAssembler("documented");
    assembler.expectDigests([EMPTY_BLOB]);
    assembler.beginDirectory();
    assembler.entry(Buffer.from("a"));
    assembler.file(0, false);
    assembler.entry(Buffer.from("b"));
    expect(() => assembler.file(0, false)).toThrow(CastoreError);
  });

  // As a file system that is damaged, or changes while it is listed, may give them.
  it("refuses names that no Directory may have", () => {
    const assembler = new TreeAssembler("documented");
    assembler.beginDirectory();
    for (const name of ["", ".", "..", "a/b", "a\0", "n".repeat(256)])
      expect(() => assembler.entry(Buffer.from(name))).toThrow(InvalidNameError);
    for (const name of ["same", "same"]) {
      assembler.entry(Buffer.from(name));
      assembler.symlink(Buffer.from("x"));
    }
    expect(() => assembler.endDirectory(RECORD)).toThrow(InvalidDirectoryError);
  });
});
