import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { nodes } from "../testing/arbitraries.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { encodeNode } from "../wire/node-codec.js";
import {
  directoryNode,
  equalNodes,
  fileNode,
  MAX_NODE_SIZE,
  type Node,
  symlinkNode,
} from "./node.js";
import { SymlinkTarget } from "./symlink-target.js";

describe("directoryNode() and fileNode()", () => {
  it.each([-1n, MAX_NODE_SIZE + 1n])("refuse a size of %s", (size) => {
    expect(() => directoryNode(EMPTY_DIGEST, size)).toThrow(CastoreError);
    expect(() => fileNode(EMPTY_DIGEST, size)).toThrow(CastoreError);
  });

  it("take 0 and 2^64-1", () => {
    expect(directoryNode(EMPTY_DIGEST, 0n).size).toBe(0n);
    expect(fileNode(EMPTY_DIGEST, MAX_NODE_SIZE).size).toBe(MAX_NODE_SIZE);
  });

  it("make a file that is not executable unless told", () => {
    expect(fileNode(EMPTY_DIGEST, 1n).executable).toBe(false);
    expect(fileNode(EMPTY_DIGEST, 1n, true).executable).toBe(true);
  });
});

describe("equalNodes()", () => {
  const other = B3Digest.fromBytes(new Uint8Array(32));
  const all: readonly Node[] = [
    directoryNode(EMPTY_DIGEST, 1n),
    directoryNode(EMPTY_DIGEST, 2n),
    directoryNode(other, 1n),
    fileNode(EMPTY_DIGEST, 1n),
    fileNode(EMPTY_DIGEST, 2n),
    fileNode(EMPTY_DIGEST, 1n, true),
    fileNode(other, 1n),
    symlinkNode(SymlinkTarget.parse("a")),
    symlinkNode(SymlinkTarget.parse("b")),
  ];

  it("tells apart whatever differs", () => {
    all.forEach((a, i) => {
      all.forEach((b, j) => {
        expect(equalNodes(a, b)).toBe(i === j);
      });
    });
  });

  it("agrees with the encoding", () => {
    return fc.assert(
      fc.property(nodes(2n), nodes(2n), (a, b) => {
        const equal = Buffer.compare(encodeNode(a), encodeNode(b)) === 0;
        expect(equalNodes(a, b)).toBe(equal);
        expect(equalNodes(a, a)).toBe(true);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
