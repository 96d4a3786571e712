import { concatBytes, copyBytes, toUtf8 } from "@tvix/castore";
import type { TreeObserver } from "@tvix/castore/fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../sha256/sha256.js";
import { type MemoryTree, referenceNar } from "../testing/nar-reference.js";
import { trees } from "../testing/tree-arbitrary.js";
import { NAR_PASS_THROUGH_BYTES, NAR_STAGING_BYTES, NarEncoder } from "./nar-encoder.js";
import { NarHasher } from "./nar-hasher.js";

/** Tells an observer a tree; `cut` is the length of the pieces that content comes in. */
function show(observer: TreeObserver, tree: MemoryTree, cut = 50_000): void {
  if (tree.type === "symlink") {
    observer.symlink(tree.target);
  } else if (tree.type === "file") {
    observer.beginFile(tree.content.byteLength, tree.executable);
    for (let i = 0; i < tree.content.byteLength; i += cut) {
      observer.fileBytes(tree.content.subarray(i, i + cut));
    }
    observer.endFile();
  } else {
    observer.beginDirectory();
    for (const [name, child] of tree.entries) {
      observer.entry(name);
      show(observer, child, cut);
    }
    observer.endDirectory();
  }
}

function file(content: Uint8Array): MemoryTree {
  return { type: "file", content, executable: false };
}

const NAME = toUtf8("name");

/** Calls that bring an encoder into each state it can be in. */
const STATES: Readonly<Record<string, (encoder: NarEncoder) => void>> = {
  "at the start": () => undefined,
  "in a directory": (encoder) => encoder.beginDirectory(),
  "after a name": (encoder) => {
    encoder.beginDirectory();
    encoder.entry(NAME);
  },
  "in a file": (encoder) => encoder.beginFile(3, false),
  "after the end": (encoder) => encoder.symlink(NAME),
};

const CALLS: Readonly<Record<string, (encoder: NarEncoder) => void>> = {
  beginDirectory: (encoder) => encoder.beginDirectory(),
  entry: (encoder) => encoder.entry(NAME),
  endDirectory: (encoder) => encoder.endDirectory(),
  beginFile: (encoder) => encoder.beginFile(0, false),
  fileBytes: (encoder) => encoder.fileBytes(Uint8Array.of(1, 2, 3)),
  symlink: (encoder) => encoder.symlink(NAME),
};

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "at the start": ["beginDirectory", "beginFile", "symlink"],
  "in a directory": ["entry", "endDirectory"],
  "after a name": ["beginDirectory", "beginFile", "symlink"],
  "in a file": ["fileBytes"],
  "after the end": [],
};

describe("NarEncoder", () => {
  it("writes what the reference writes, however content is cut", () => {
    fc.assert(
      fc.property(trees, fc.constantFrom(7, 16_384, 1_000_000), (tree, cut) => {
        const parts: Uint8Array[] = [];
        const encoder = new NarEncoder((bytes) => parts.push(copyBytes(bytes)));
        show(encoder, tree, cut);
        expect(encoder.complete).toBe(true);
        expect(Buffer.compare(concatBytes(parts), referenceNar(tree))).toBe(0);
      }),
      { seed: 40, numRuns: 200 },
    );
  });

  it("gives the sink pieces that last when asked to", () => {
    fc.assert(
      fc.property(trees, (tree) => {
        const parts: Uint8Array[] = [];
        show(new NarEncoder((bytes) => parts.push(bytes), { lasting: true }), tree);
        expect(Buffer.compare(concatBytes(parts), referenceNar(tree))).toBe(0);
      }),
      { seed: 41, numRuns: 200 },
    );
  });

  it.each([1, 300, 4000])("leaves places for content in memory it is given: %s bytes", (length) => {
    fc.assert(
      fc.property(trees, fc.boolean(), (tree, copies) => {
        const parts: Uint8Array[] = [];
        const pending: (() => void)[] = [];
        const encoder = new NarEncoder((bytes) => parts.push(bytes), {
          memory: (minBytes) => new Uint8Array(Math.max(minBytes, length)).fill(0xee),
          copies,
        });
        const observer: TreeObserver = {
          beginDirectory: () => encoder.beginDirectory(),
          entry: (name) => encoder.entry(name),
          endDirectory: () => encoder.endDirectory(),
          beginFile: (size, executable) => encoder.beginFile(size, executable),
          symlink: (target) => encoder.symlink(target),
          endFile: () => encoder.endFile(),
          fileBytes: (bytes) => {
            if (bytes.byteLength % 2 === 0) encoder.fileBytes(bytes);
            else {
              const place = encoder.contentPlace(bytes.byteLength);
              pending.push(() => place.set(bytes));
            }
          },
        };
        show(observer, tree, 999);
        for (const write of pending) write();
        expect(Buffer.compare(concatBytes(parts), referenceNar(tree))).toBe(0);
      }),
      { seed: 42, numRuns: 100 },
    );
  });

  it("gathers small files in pieces of the size of the staging buffer", () => {
    const entries = Array.from(
      { length: 2000 },
      (_, i) => [toUtf8(`file-${10_000 + i}`), file(new Uint8Array(1000))] as const,
    );
    const lengths: number[] = [];
    show(new NarEncoder((bytes) => lengths.push(bytes.byteLength)), { type: "directory", entries });
    expect(lengths.length).toBeLessThan(14);
    for (const length of lengths.slice(0, -1)) {
      expect(length).toBeGreaterThan(NAR_STAGING_BYTES - NAR_PASS_THROUGH_BYTES);
    }
  });

  it("passes large content through without a copy", () => {
    const content = new Uint8Array(NAR_PASS_THROUGH_BYTES);
    const parts: Uint8Array[] = [];
    show(new NarEncoder((bytes) => parts.push(bytes)), file(content));
    expect(parts).toHaveLength(3);
    expect(parts[1]?.buffer).toBe(content.buffer);
  });

  it("writes lengths beyond 32 bits", () => {
    const parts: Uint8Array[] = [];
    const encoder = new NarEncoder((bytes) => parts.push(copyBytes(bytes)));
    encoder.beginFile(2 ** 33 + 5, false);
    encoder.fileBytes(new Uint8Array(NAR_PASS_THROUGH_BYTES));
    const framing = parts[0] as Uint8Array;
    const view = new DataView(framing.buffer);
    expect(view.getBigUint64(framing.byteLength - 8, true)).toBe(2n ** 33n + 5n);
  });

  describe.each(Object.keys(STATES))("%s", (state) => {
    it.each(Object.keys(CALLS))("allows %s only where it has a place", (call) => {
      const encoder = new NarEncoder(() => undefined);
      STATES[state]?.(encoder);
      const attempt = () => CALLS[call]?.(encoder);
      if (ALLOWED[state]?.includes(call)) expect(attempt).not.toThrow();
      else expect(attempt).toThrow(TypeError);
    });
  });

  it("refuses content that is longer or shorter than announced", () => {
    const longer = new NarEncoder(() => undefined);
    longer.beginFile(3, false);
    longer.fileBytes(Uint8Array.of(1, 2));
    expect(() => longer.fileBytes(Uint8Array.of(3, 4))).toThrow(RangeError);
    const shorter = new NarEncoder(() => undefined);
    shorter.beginFile(3, false);
    shorter.fileBytes(Uint8Array.of(1, 2));
    expect(() => shorter.endFile()).toThrow(RangeError);
  });

  it.each([
    ["equal", "a", "a"],
    ["descending", "b", "a"],
    ["a prefix after what it begins", "ab", "a"],
    ["UTF-16 order, which is not that of bytes", "\u{1f600}", "\uff21"],
  ])("refuses names that are %s", (_, first, second) => {
    const encoder = new NarEncoder(() => undefined);
    encoder.beginDirectory();
    encoder.entry(toUtf8(first));
    encoder.symlink(NAME);
    expect(() => encoder.entry(toUtf8(second))).toThrow(RangeError);
  });

  it("checks the order in each directory by itself", () => {
    const encoder = new NarEncoder(() => undefined);
    encoder.beginDirectory();
    encoder.entry(toUtf8("b"));
    encoder.beginDirectory();
    encoder.entry(toUtf8("z"));
    encoder.symlink(NAME);
    encoder.endDirectory();
    encoder.entry(toUtf8("c"));
    encoder.beginDirectory();
    encoder.entry(toUtf8("a"));
    encoder.symlink(NAME);
    encoder.endDirectory();
    expect(() => encoder.entry(toUtf8("bb"))).toThrow(RangeError);
  });
});

describe("NarHasher", () => {
  it("computes size and SHA-256 of the NAR", () => {
    fc.assert(
      fc.property(trees, (tree) => {
        const hasher = new NarHasher();
        show(hasher, tree);
        const nar = referenceNar(tree);
        expect(hasher.finish()).toEqual({
          narSize: BigInt(nar.byteLength),
          narSha256: sha256(nar),
        });
      }),
      { seed: 42, numRuns: 100 },
    );
  });

  it("does not finish before the tree is complete", () => {
    const hasher = new NarHasher();
    expect(() => hasher.finish()).toThrow(TypeError);
    hasher.beginDirectory();
    expect(() => hasher.finish()).toThrow(TypeError);
    hasher.endDirectory();
    expect(hasher.finish().narSize).toBe(96n);
  });
});
