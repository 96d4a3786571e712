import { describe, expect, it } from "vitest";
import {
  AddressError,
  assertOnlyQuery,
  filePathOf,
  parseServiceAddress,
} from "./service-address.js";

function problemOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AddressError) return error.problem;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("parseServiceAddress()", () => {
  it.each([
    ["memory:", "memory", undefined, "", []],
    ["local:///var/lib/tvix", "local", "", "/var/lib/tvix", []],
    ["grpc+http://[::1]:8000", "grpc+http", "[::1]:8000", "", []],
    ["grpc+unix:/run/d.sock", "grpc+unix", undefined, "/run/d.sock", []],
    [
      "nix+https://c.example/a/b?x=1&y=%26%3D",
      "nix+https",
      "c.example",
      "/a/b",
      [
        ["x", "1"],
        ["y", "&="],
      ],
    ],
    [
      "cache:?near=memory:&far=grpc%2Bhttp%3A%2F%2Fh%3A1",
      "cache",
      undefined,
      "",
      [
        ["near", "memory:"],
        ["far", "grpc+http://h:1"],
      ],
    ],
    ["x:?keys=a:b+/=%20c:d=", "x", undefined, "", [["keys", "a:b+/= c:d="]]],
  ])("takes %s apart", (text, scheme, authority, path, query) => {
    const address = parseServiceAddress(text);
    expect(address).toMatchObject({ text, scheme, authority, path });
    expect([...address.query]).toEqual(query);
  });

  it.each([
    ["", "must look like"],
    ["store", "must look like"],
    ["Memory:", "must look like"],
    ["memory:#x", "must look like"],
    ["grpc+http://me:secret@host:1", "no place in an address"],
    ["x:?", "KEY=VALUE"],
    ["x:?a", "KEY=VALUE"],
    ["x:?a=1&", "KEY=VALUE"],
    ["x:?=1", "KEY=VALUE"],
    ["x:?a=1&%61=2", 'key "a" is there twice'],
    ["x:?a=%zz", "two hexadecimal digits"],
    ["x:?a=%ff", "two hexadecimal digits"],
  ])("refuses %j", (text, problem) => {
    expect(problemOf(() => parseServiceAddress(text))).toContain(problem);
  });

  it("never shows a password", () => {
    const nested = "cache:?near=memory:&far=grpc%2Bhttp%3A%2F%2Fme%3Asecret%40host%3A1&x";
    for (const text of ["grpc+http://me:secret@host:1", nested]) {
      expect(() => parseServiceAddress(text)).toThrow(AddressError);
      expect(() => parseServiceAddress(text)).not.toThrow("secret");
    }
  });
});

describe("filePathOf()", () => {
  it.each([
    ["local:", undefined],
    ["local:/a", "/a"],
    ["local:///a/b%20c", "/a/b c"],
  ])("of %s is %s", (text, path) => {
    expect(filePathOf(parseServiceAddress(text))).toBe(path);
  });

  it.each([
    ["local://host/a", "has no host"],
    ["local:a", "absolute path"],
    ["local://", "absolute path"],
    ["local:///", "absolute path"],
    ["local:///a%00b", "absolute path"],
  ])("refuses %s", (text, problem) => {
    expect(problemOf(() => filePathOf(parseServiceAddress(text)))).toContain(problem);
  });
});

describe("assertOnlyQuery()", () => {
  it.each(["memory:", "memory://"])("takes %s", (text) => {
    expect(() => assertOnlyQuery(parseServiceAddress(text))).not.toThrow();
  });

  it.each(["memory:x", "memory://host", "memory:///"])("refuses %s", (text) => {
    expect(problemOf(() => assertOnlyQuery(parseServiceAddress(text)))).toContain(
      "nothing may stand",
    );
  });
});
