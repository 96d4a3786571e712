import { describe, expect, it } from "vitest";
import { BenchUsageError, commandOfPart, parseOptions } from "./options.js";

describe("parseOptions()", () => {
  it("measures operations three times in memory by default", () => {
    expect(parseOptions([])).toEqual({
      mode: "operations",
      where: "tmpfs",
      runs: 3,
      trees: undefined,
      scratch: undefined,
      from: undefined,
      part: undefined,
      quick: false,
      write: false,
      command: "pnpm bench operations --runs 3 --where tmpfs",
    });
  });

  it("leaves folders of the machine out of the command to repeat", () => {
    const options = parseOptions(["--trees", "/a/b", "--scratch=/c", "--where", "disk", "--write"]);
    expect(options).toMatchObject({ trees: "/a/b", scratch: "/c", write: true });
    expect(options?.command).toBe(
      "pnpm bench operations --runs 3 --where disk --trees DIR --scratch DIR",
    );
  });

  it("compares gRPC without trees", () => {
    const options = parseOptions(["grpc", "--runs", "5", "--trees", "/a"]);
    expect(options).toMatchObject({ mode: "grpc", runs: 5 });
    expect(options?.command).toBe("pnpm bench grpc --runs 5 --where tmpfs");
  });

  it("runs one part of the comparison of caches", () => {
    const options = parseOptions(["cache", "--part", "narinfo"]);
    expect(options).toMatchObject({ mode: "cache", part: "narinfo", quick: false });
    expect(options && commandOfPart(options, "narinfo")).toBe(
      "pnpm bench cache --runs 3 --where tmpfs --part narinfo",
    );
  });

  it("asks for help by returning nothing", () => {
    expect(parseOptions(["--help"])).toBeUndefined();
  });

  it.each([
    { words: ["primitive"] },
    { words: ["profile", "T1"] },
    { words: ["--runs", "0"] },
    { words: ["--runs", "1.5"] },
    { words: ["--where", "ram"] },
    { words: ["--fast"] },
    { words: ["--trees"] },
    { words: ["grpc", "--part", "nars"] },
    { words: ["cache", "--part", "put"] },
    { words: ["operations", "--quick"] },
    { words: ["cache", "--quick", "--write"] },
  ])("refuses $words", ({ words }) => {
    expect(() => parseOptions(words)).toThrow(BenchUsageError);
  });
});
