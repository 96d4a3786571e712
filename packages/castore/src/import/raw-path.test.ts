import fs from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { rawBytes } from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { rawPathBytes, toFsPath, toRawPath } from "./raw-path.js";

const scratch = scratchDirectory();
const startDirectory = process.cwd();

afterEach(() => process.chdir(startDirectory));

describe("toRawPath()", () => {
  it.each([
    ["/", "/"],
    ["//", "/"],
    ["/a/b", "/a/b"],
    ["/a/b/", "/a/b"],
    ["/a//b///", "/a/b"],
    ["/a/./b/.", "/a/b"],
    ["/a/../b", "/b"],
    ["/a/b/..", "/a"],
    ["/../..", "/"],
    ["/a\nb", "/a\nb"],
  ])("makes %j into %j", (given, path) => {
    expect(toRawPath(given)).toBe(path);
    expect(toRawPath(Buffer.from(given))).toBe(path);
  });

  it.each([
    [".", ""],
    ["./", ""],
    ["a", "/a"],
    ["./a/", "/a"],
    ["a/..", ""],
    ["a/../b", "/b"],
  ])("takes %j from the current directory", (given, path) => {
    process.chdir(scratch());
    expect(toRawPath(given)).toBe(scratch() + path);
  });

  it("goes up from the current directory, as its path tells", () => {
    process.chdir(scratch());
    expect(toRawPath("..")).toBe(join(scratch(), ".."));
  });

  it("has one character for each byte of text in UTF-8", () => {
    expect(toRawPath("/\u00e9\u{1f600}")).toBe("/\xc3\xa9\xf0\x9f\x98\x80");
  });

  it("keeps bytes that are not UTF-8", () => {
    expect(toRawPath(Uint8Array.of(0x2f, 0xff, 0x2f, 0xc3))).toBe("/\xff/\xc3");
  });

  it("starts from a current directory whose name is not ASCII, nor UTF-8", () => {
    for (const name of ["\xc3\xa9", "\xff"]) {
      const directory = rawBytes(`${scratch()}/${name}`);
      fs.mkdirSync(directory);
      changeDirectory(directory);
      expect(toRawPath("a")).toBe(`${scratch()}/${name}/a`);
    }
  });

  it("needs no current directory for an absolute path", () => {
    const gone = scratch("gone");
    fs.mkdirSync(gone);
    process.chdir(gone);
    fs.rmdirSync(gone);
    expect(toRawPath("/a")).toBe("/a");
    expect(() => toRawPath("a")).toThrow(expect.objectContaining({ reason: "not-found" }));
  });

  it("refuses an empty path and one with a NUL byte", () => {
    expect(() => toRawPath("")).toThrow(expect.objectContaining({ reason: "not-found" }));
    expect(() => toRawPath(new Uint8Array(0))).toThrow(
      expect.objectContaining({ reason: "not-found" }),
    );
    expect(() => toRawPath("/a\0")).toThrow(expect.objectContaining({ reason: "invalid" }));
  });

  /** `process.chdir` takes text only; the name of a link to it is text. */
  function changeDirectory(directory: Buffer): void {
    const link = scratch("link");
    fs.rmSync(link, { force: true });
    fs.symlinkSync(directory, link);
    process.chdir(link);
  }
});

describe("toFsPath() and rawPathBytes()", () => {
  it("give the bytes that the path was given as", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => (i === 0 ? 0x2f : i));
    const raw = Buffer.from(bytes).toString("latin1");
    expect(toFsPath(raw)).toEqual(Buffer.from(bytes));
    expect(rawPathBytes(raw)).toEqual(bytes);
    expect(Object.getPrototypeOf(rawPathBytes(raw))).toBe(Uint8Array.prototype);
  });

  it("leave text that is ASCII as it is", () => {
    expect(toFsPath("/usr/share\n")).toBe("/usr/share\n");
  });
});
