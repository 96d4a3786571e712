import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "../bytes.js";
import { equalNodes, fileNode, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";
import { nodes, pathComponents } from "../testing/arbitraries.js";
import { EMPTY_DIGEST, NODE_FIXTURES } from "../testing/fixtures.js";
import { rawBytesField, rawTag, rawVarint, rawVarintField } from "../testing/raw-protobuf.js";
import {
  decodeAnonymousNode,
  decodeNode,
  encodeNode,
  InvalidNodeError,
  type InvalidNodeReason,
  MAX_NODE_BYTES,
} from "./node-codec.js";

const name = rawBytesField(1, "a");
const digest = rawBytesField(2, EMPTY_DIGEST.toBytes());
const file = rawBytesField(2, name, digest);
const link = rawBytesField(3, name, rawBytesField(2, "t"));

describe.each(NODE_FIXTURES)("golden node $name", ({ node, encoding }) => {
  it("has the known encoding", () => {
    expect(Buffer.from(encodeNode(node)).toString("base64url")).toBe(encoding);
  });

  it("is decoded again", () => {
    const decoded = decodeAnonymousNode(Buffer.from(encoding, "base64url"));
    expect(equalNodes(decoded, node)).toBe(true);
  });
});

describe("encodeNode()", () => {
  it("writes the name of a path info's root", () => {
    const encoded = encodeNode(fileNode(EMPTY_DIGEST, 3n, true), PathComponent.parse("a"));
    const size = rawVarintField(3, 3);
    expect(toHex(encoded)).toBe(toHex(rawBytesField(2, name, digest, size, rawVarintField(4, 1))));
  });

  it("writes the longest node there is in MAX_NODE_BYTES", () => {
    const target = SymlinkTarget.fromBytes(new Uint8Array(4095).fill(0x61));
    const encoded = encodeNode(symlinkNode(target), PathComponent.parse("x".repeat(255)));
    expect(encoded.byteLength).toBe(MAX_NODE_BYTES);
    expect(decodeNode(encoded).name?.byteLength).toBe(255);
  });
});

const REFUSED: readonly [string, InvalidNodeReason, Uint8Array][] = [
  ["nothing", "no-node", new Uint8Array(0)],
  ["two of a kind", "several-nodes", concatBytes([file, file])],
  ["two kinds", "several-nodes", concatBytes([file, link])],
  ["two kinds in the wrong order", "several-nodes", concatBytes([link, file])],
  ["a node and something unknown", "not-canonical", concatBytes([file, rawVarintField(4, 1)])],
  ["something unknown alone", "not-canonical", rawBytesField(4, "")],
  ["a node and half a tag", "malformed", concatBytes([file, Uint8Array.of(0x80)])],
  ["a node as a varint", "malformed", rawVarintField(1, 1)],
  ["an empty node", "invalid-node", rawBytesField(2)],
  ["an invalid name", "invalid-name", rawBytesField(2, rawBytesField(1, ".."), digest)],
  ["an explicit empty name", "not-canonical", rawBytesField(2, rawBytesField(1, ""), digest)],
  ["a short digest", "invalid-node", rawBytesField(1, rawBytesField(2, "short"))],
  ["no target", "invalid-node", rawBytesField(3, name)],
  [
    "a length that is not minimal",
    "not-canonical",
    concatBytes([rawTag(2, 2), rawVarint(34, 1), digest]),
  ],
  ["less than its length says", "malformed", file.subarray(0, -1)],
  ["more than any node has", "too-large", new Uint8Array(MAX_NODE_BYTES + 1)],
];

describe("decodeNode()", () => {
  it.each(REFUSED)("refuses %s as %s", (_label, reason, bytes) => {
    const attempt = (): unknown => decodeNode(bytes);
    expect(attempt).toThrow(InvalidNodeError);
    expect(attempt).toThrow(expect.objectContaining({ reason, code: "INVALID_ARGUMENT" }));
  });

  it("gives back node and name, or that there is none", () => {
    return fc.assert(
      fc.property(nodes(), fc.option(pathComponents(), { nil: undefined }), (node, label) => {
        const decoded = decodeNode(encodeNode(node, label));
        expect(equalNodes(decoded.node, node)).toBe(true);
        expect(decoded.name?.key).toBe(label?.key);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("shares no memory with its input", () => {
    const bytes = concatBytes([link]);
    const decoded = decodeNode(bytes);
    bytes.fill(0);
    expect(toHex(encodeNode(decoded.node, decoded.name))).toBe(toHex(link));
  });

  it("takes a changed byte or a beginning only when that is what encodes to it", () => {
    return fc.assert(
      fc.property(
        nodes(),
        fc.option(pathComponents(), { nil: undefined }),
        fc.nat(),
        fc.nat(255),
        (node, label, at, byte) => {
          const bytes = encodeNode(node, label);
          bytes[at % bytes.byteLength] = byte;
          expectAllOrNothing(bytes);
          expectAllOrNothing(encodeNode(node, label).subarray(0, at % bytes.byteLength));
        },
      ),
      { seed: 2, numRuns: 2000 },
    );
  });
});

describe("decodeAnonymousNode()", () => {
  it("refuses a node with a name", () => {
    expect(() => decodeAnonymousNode(file)).toThrow(
      expect.objectContaining({ reason: "name-in-anonymous-node" }),
    );
  });
});

function expectAllOrNothing(bytes: Uint8Array): void {
  let decoded: ReturnType<typeof decodeNode>;
  try {
    decoded = decodeNode(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidNodeError);
    return;
  }
  expect(toHex(encodeNode(decoded.node, decoded.name))).toBe(toHex(bytes));
}
