import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blake3 } from "../hasher/blake3.js";
import type { Directory } from "../nodes/directory.js";
import { directoryNode } from "../nodes/node.js";
import { closures } from "../testing/arbitraries.js";
import {
  CLOSURES,
  closureFixture,
  directoryOf,
  NOWHERE,
  nodeOf,
} from "../testing/directory-builders.js";
import { directoryFixture } from "../testing/fixtures.js";
import { encodeDirectory } from "../wire/directory-codec.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { InvalidDirectoryClosureError } from "./closure-error.js";
import { LeavesToRootValidator, RootToLeavesValidator } from "./order-validator.js";

const [A, KEEP, B, D, E, D_DOUBLED, E_DOUBLED] = closureFixture([
  "A",
  "WITH_KEEP",
  "B",
  "D",
  "E",
  "D (doubled)",
  "E (doubled)",
]) as [Directory, Directory, Directory, Directory, Directory, Directory, Directory];

function digestOf(directory: Directory): ReturnType<typeof directoryDigest> {
  return directoryDigest(directory);
}

function upload(directories: readonly Directory[]): string {
  const validator = new LeavesToRootValidator();
  for (const directory of directories) validator.add(directory);
  return validator.finalize().toHex();
}

function download(root: Directory, directories: readonly Directory[]): string {
  const validator = new RootToLeavesValidator(digestOf(root));
  for (const directory of directories) validator.add(directory);
  return validator.finalize();
}

describe("LeavesToRootValidator", () => {
  it.each(CLOSURES)("lets the closure $name through", ({ directories }) => {
    expect(upload(directories)).toBe(digestOf(directories.at(-1) as Directory).toHex());
  });

  it("lets any closure through, by either rule", () => {
    return fc.assert(
      fc.property(closures(), ({ directories, root }) => {
        expect(upload(directories)).toBe(root.digest.toHex());
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("hands back what it computed, and whether it is new", () => {
    const validator = new LeavesToRootValidator();
    for (const repeated of [false, true]) {
      const validated = validator.add(KEEP);
      expect(validated.repeated).toBe(repeated);
      expect(validated.digest.toHex()).toBe(directoryFixture("WITH_KEEP").digest);
      expect(validated.encoded).toEqual(encodeDirectory(KEEP));
      expect(blake3(validated.encoded).equals(validated.digest)).toBe(true);
    }
  });

  it("takes the last new Directory for the root, whatever is repeated after it", () => {
    expect(upload([A, B, D, A, B])).toBe(directoryFixture("D").digest);
  });

  it.each([
    ["unknown-child", [A, D]],
    ["unknown-child", [B]],
    ["wrong-size", [KEEP, directoryOf({ a: directoryNode(digestOf(KEEP), 3n) })]],
    ["wrong-size", [A, directoryOf({ a: directoryNode(digestOf(A), 1n) })]],
    ["mixed-size-rules", [A, B, D_DOUBLED, directoryOf({ d: nodeOf(D_DOUBLED) })]],
    ["mixed-size-rules", [A, B, D, D_DOUBLED]],
  ] as const)("refuses %s when it comes, and is closed then", (reason, directories) => {
    const validator = new LeavesToRootValidator();
    const last = directories.at(-1) as Directory;
    for (const directory of directories.slice(0, -1)) validator.add(directory);
    expect(() => validator.add(last)).toThrow(
      expect.objectContaining({ reason, code: "INVALID_ARGUMENT" }),
    );
    const closed = expect.objectContaining({ reason: "closed" });
    expect(() => validator.add(A)).toThrow(closed);
    expect(() => validator.finalize()).toThrow(closed);
  });

  it.each([
    ["empty", []],
    ["multiple-roots", [A, KEEP]],
    ["multiple-roots", [A, B, D, KEEP, directoryOf({ k: nodeOf(KEEP) })]],
  ] as const)("refuses %s at the end", (reason, directories) => {
    expect(() => upload(directories)).toThrow(expect.objectContaining({ reason }));
  });

  it("is closed by its end", () => {
    const validator = new LeavesToRootValidator();
    validator.add(A);
    validator.finalize();
    expect(() => validator.add(A)).toThrow(InvalidDirectoryClosureError);
    expect(() => validator.finalize()).toThrow(InvalidDirectoryClosureError);
  });

  it("names the parent, the child and what size it has", () => {
    const parent = directoryOf({ a: directoryNode(digestOf(KEEP), 9n) });
    expect(() => upload([KEEP, parent])).toThrow(
      `Invalid directory closure: ${digestOf(parent)} gives ${digestOf(KEEP)} the size 9, ` +
        "but it is 1, or 2 by the doubled rule",
    );
  });

  it("refuses every closure that lacks one of its Directories", () => {
    return fc.assert(
      fc.property(closures(), fc.nat(), ({ directories }, at) => {
        fc.pre(directories.length > 1);
        const missing = at % (directories.length - 1);
        expect(() => upload(directories.toSpliced(missing, 1))).toThrow(
          expect.objectContaining({ reason: "unknown-child" }),
        );
      }),
      { seed: 2, numRuns: 100 },
    );
  });
});

describe("RootToLeavesValidator", () => {
  it.each(CLOSURES)("lets the closure $name through", ({ directories }) => {
    expect(download(directories.at(-1) as Directory, directories.toReversed())).toBe("complete");
  });

  it("lets any closure through that comes parents first", () => {
    return fc.assert(
      fc.property(closures(), ({ directories }) => {
        const root = directories.at(-1) as Directory;
        expect(download(root, directories.toReversed())).toBe("complete");
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it("takes a root that never came for absent", () => {
    expect(download(D, [])).toBe("absent");
    expect(download(A, [])).toBe("absent");
  });

  it("tolerates a Directory that comes again", () => {
    const validator = new RootToLeavesValidator(digestOf(D));
    expect([D, D, B, A, B, A].map((item) => validator.add(item).repeated)).toEqual([
      false,
      true,
      false,
      false,
      true,
      true,
    ]);
    expect(validator.finalize()).toBe("complete");
  });

  it.each([
    ["unexpected-directory", "another root", D, [KEEP]],
    ["unexpected-directory", "a child before the root", D, [B]],
    ["unexpected-directory", "a grandchild before its parent", E, [E, B]],
    ["unexpected-directory", "something else in between", D, [D, B, KEEP]],
    [
      "mixed-size-rules",
      "other rules further down",
      directoryOf({ e: nodeOf(E_DOUBLED) }),
      [directoryOf({ e: nodeOf(E_DOUBLED) }), E_DOUBLED, D_DOUBLED],
    ],
  ] as const)("refuses %s (%s), and is closed then", (reason, _label, root, directories) => {
    const validator = new RootToLeavesValidator(digestOf(root));
    for (const directory of directories.slice(0, -1)) validator.add(directory);
    expect(() => validator.add(directories.at(-1) as Directory)).toThrow(
      expect.objectContaining({ reason, code: "CORRUPT" }),
    );
    expect(() => validator.finalize()).toThrow(expect.objectContaining({ reason: "closed" }));
  });

  it("refuses a child that has not the size its parent gives", () => {
    const root = directoryOf({ a: directoryNode(digestOf(KEEP), 5n) });
    expect(() => download(root, [root, KEEP])).toThrow(
      expect.objectContaining({ reason: "wrong-size" }),
    );
  });

  it("refuses two sizes for one child, before and after it has come", () => {
    const keep = digestOf(KEEP);
    const both = directoryOf({ a: directoryNode(keep, 1n), b: directoryNode(keep, 2n) });
    expect(() => download(both, [both])).toThrow(expect.objectContaining({ reason: "wrong-size" }));
    // The one who gives the other size comes after the child.
    const late = directoryOf({ x: directoryNode(keep, 2n), y: nodeOf(A) });
    const root = directoryOf({ a: nodeOf(KEEP), b: nodeOf(late) });
    expect(() => download(root, [root, KEEP, late])).toThrow(
      expect.objectContaining({ reason: "mixed-size-rules" }),
    );
  });

  it("refuses every closure that lacks one of its Directories", () => {
    return fc.assert(
      fc.property(closures(), fc.nat(), ({ directories }, at) => {
        fc.pre(directories.length > 1);
        const rootFirst = directories.toReversed();
        // Without an inner one its children are unexpected, without a leaf the end is too early.
        const missing = 1 + (at % (rootFirst.length - 1));
        expect(() => download(rootFirst[0] as Directory, rootFirst.toSpliced(missing, 1))).toThrow(
          InvalidDirectoryClosureError,
        );
      }),
      { seed: 4, numRuns: 100 },
    );
  });

  it("refuses an end that comes too early, and says what is missing", () => {
    expect(() => download(E, [E, D, A])).toThrow(
      `Invalid directory closure: 1 directories did not come, among them ${digestOf(B)}`,
    );
    expect(() => download(D, [D])).toThrow(
      expect.objectContaining({ reason: "incomplete", code: "CORRUPT" }),
    );
  });

  it("is closed by its end", () => {
    const validator = new RootToLeavesValidator(NOWHERE);
    expect(validator.finalize()).toBe("absent");
    expect(() => validator.add(A)).toThrow(expect.objectContaining({ reason: "closed" }));
  });
});

it("both validators take a closure of 100,000 Directories", () => {
  const leaves = Array.from({ length: 100_000 }, (_, i) =>
    directoryOf({
      [`f${i}`]: { type: "file", digest: NOWHERE, size: BigInt(i), executable: false },
    }),
  );
  const entries = leaves.map((leaf, i) => [`d${i}`, nodeOf(leaf)] as const);
  const root = directoryOf(Object.fromEntries(entries));
  expect(upload([...leaves, root])).toBe(digestOf(root).toHex());
  expect(download(root, [root, ...leaves])).toBe("complete");
}, 30_000);
