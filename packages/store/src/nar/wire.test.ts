import { toHex } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { NAR_CLOSE, NAR_EXECUTABLE, NAR_MAGIC, narPadding, narStringLength } from "./wire.js";

// `nix-store --dump` of an executable file, cut at the strings.
describe("the constants of a NAR", () => {
  it("are what Nix writes", () => {
    expect(toHex(NAR_MAGIC)).toBe("0d000000000000006e69782d617263686976652d31000000");
    expect(toHex(NAR_CLOSE)).toBe("01000000000000002900000000000000");
    expect(toHex(NAR_EXECUTABLE)).toBe(
      [
        "01000000000000002800000000000000",
        "04000000000000007479706500000000",
        "0700000000000000726567756c617200",
        "0a0000000000000065786563757461626c65000000000000",
        "0000000000000000",
        "0800000000000000636f6e74656e7473",
      ].join(""),
    );
  });
});

describe("narPadding()", () => {
  it.each([
    [0, 0],
    [1, 7],
    [7, 1],
    [8, 0],
    [9, 7],
    [2 ** 40 + 3, 5],
  ])("follows %i bytes with %i zeros", (length, padding) => {
    expect(narPadding(length)).toBe(padding);
    expect(narStringLength(length)).toBe(8 + length + padding);
  });
});
