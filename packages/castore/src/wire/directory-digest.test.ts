import { describe, expect, it } from "vitest";
import { blake3 } from "../hasher/blake3.js";
import { directoryFixture } from "../testing/fixtures.js";
import { decodeDigestedDirectory, digestDirectory } from "./directory-digest.js";

describe("decodeDigestedDirectory()", () => {
  it("gives a Directory with the encoding and digest that it would get", () => {
    const { directory } = directoryFixture("WITH_KEEP");
    const { encoded } = digestDirectory(directory);
    const memory = new Uint8Array(encoded);
    const decoded = decodeDigestedDirectory(memory);
    // What it came from may be used for something else.
    memory.fill(0);
    expect(digestDirectory(decoded).encoded).toEqual(encoded);
    expect(digestDirectory(decoded).digest.equals(blake3(encoded))).toBe(true);
  });

  it("refuses what is none", () => {
    expect(() => decodeDigestedDirectory(Uint8Array.of(1))).toThrow();
  });
});
