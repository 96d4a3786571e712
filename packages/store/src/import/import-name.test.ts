import { toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import { InvalidStorePathError } from "../store-path/store-path.js";
import { checkImportName, importName } from "./import-name.js";

// Names that `nix-store --add` of Nix 2.8 gives to the path, or that it refuses.
describe("importName()", () => {
  it.each([
    ["a", "a"],
    ["./a", "a"],
    ["sub/", "sub"],
    ["/abs/sub", "sub"],
    ["/abs/sub/", "sub"],
    [".", "."],
    ["./", "."],
    ["..", ".."],
    ["sub/.", "."],
    ["/abs/sub/..", ".."],
    [".hidden", ".hidden"],
    ["-x", "-x"],
    ["a".repeat(211), "a".repeat(211)],
  ])("names %s %s", (path, name) => {
    expect(importName(path)).toBe(name);
    expect(importName(toUtf8(path))).toBe(name);
  });

  it.each([
    ["", "name-empty"],
    ["/", "name-empty"],
    ["sub//", "name-empty"],
    ["sp ace", "name-character"],
    ["dir/sp ace", "name-character"],
    ["\u00e4", "name-character"],
    ["b".repeat(212), "name-too-long"],
  ])("refuses %j", (path, reason) => {
    expect(() => importName(path)).toThrow(expect.objectContaining({ reason }));
  });

  it("reads bytes that are not text", () => {
    expect(() => importName(Uint8Array.of(0x61, 0xff))).toThrow(InvalidStorePathError);
    expect(importName(Uint8Array.of(0xff, 0x2f, 0x61))).toBe("a");
  });

  it("refuses the names of derivations", () => {
    for (const path of ["b.drv", "dir/b.drv", "b.drv/", ".drv"]) {
      expect(() => importName(path)).toThrow(StoreError);
    }
    expect(importName("b.drv.txt")).toBe("b.drv.txt");
  });
});

describe("checkImportName()", () => {
  it("takes a name as it is, without a look for slashes", () => {
    expect(checkImportName("a")).toBe("a");
    expect(() => checkImportName("a/")).toThrow(InvalidStorePathError);
    expect(() => checkImportName("dir/a")).toThrow(InvalidStorePathError);
  });
});
