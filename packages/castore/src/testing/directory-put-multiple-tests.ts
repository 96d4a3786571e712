import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  InvalidDirectoryClosureError,
  type InvalidDirectoryClosureReason,
} from "../directoryservice/closure-error.js";
import { Directory } from "../nodes/directory.js";
import { directoryNode, fileNode } from "../nodes/node.js";
import { encodeDirectory } from "../wire/directory-codec.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { closures } from "./arbitraries.js";
import { CLOSURES, chain, directoryOf, largeDirectory, nodeOf } from "./directory-builders.js";
import type { DirectoryServiceUnderTest } from "./directory-service-suite.js";
import { expectSameBytes } from "./expectations.js";
import { directoryFixture, EMPTY_DIGEST } from "./fixtures.js";
import { WatchedSource } from "./sources.js";

const [A, KEEP, B, D, D_DOUBLED] = ["A", "WITH_KEEP", "B", "D", "D (doubled)"].map(
  (name) => directoryFixture(name).directory,
) as [Directory, Directory, Directory, Directory, Directory];

/** Closures that are none, by what is wrong. None of them has the empty Directory as its only one. */
const REFUSED: readonly [InvalidDirectoryClosureReason, string, Directory[]][] = [
  ["empty", "nothing", []],
  ["unknown-child", "a parent before its child", [A, D, B]],
  ["unknown-child", "no child at all", [directoryOf({ keep: nodeOf(KEEP) })]],
  ["wrong-size", "a size that is too large", [KEEP, sized(KEEP, 3n)]],
  ["wrong-size", "a size of 0", [KEEP, sized(KEEP, 0n)]],
  ["wrong-size", "an empty directory with a size", [A, sized(A, 1n)]],
  [
    "mixed-size-rules",
    "children by different rules",
    [A, B, KEEP, directoryOf({ a: nodeOf(KEEP, "documented"), b: nodeOf(B, "doubled") })],
  ],
  [
    "mixed-size-rules",
    "the doubled rule below the documented one",
    [A, B, D_DOUBLED, directoryOf({ d: nodeOf(D_DOUBLED, "documented") })],
  ],
  [
    "mixed-size-rules",
    "the documented rule below the doubled one",
    [A, B, D, directoryOf({ d: nodeOf(D, "doubled") })],
  ],
  ["multiple-roots", "two that have nothing in common", [KEEP, A]],
  [
    "multiple-roots",
    "one more after the root",
    [KEEP, sized(KEEP, 1n), directoryOf({ z: fileNode(EMPTY_DIGEST, 9n) })],
  ],
];

function sized(child: Directory, size: bigint): Directory {
  return directoryOf({ child: directoryNode(directoryDigest(child), size) });
}

/** @internal */
export function directoryPutMultipleTests(test: DirectoryServiceUnderTest): void {
  async function expectStored(directories: readonly Directory[]): Promise<void> {
    for (const directory of directories) {
      const stored = await test.service().get(directoryDigest(directory));
      if (stored === undefined) expect.fail("A Directory of the closure is not stored");
      expectSameBytes(encodeDirectory(stored), encodeDirectory(directory));
    }
  }

  /** The empty Directory may count as stored from the start. */
  async function expectNothingStored(directories: readonly Directory[]): Promise<void> {
    for (const directory of directories) {
      if (directory.entries.length === 0) continue;
      expect(await test.service().get(directoryDigest(directory))).toBeUndefined();
    }
  }

  function rootOf(directories: readonly Directory[]): string {
    return directoryDigest(directories.at(-1) as Directory).toString();
  }

  describe("putMultiple()", () => {
    it.each(CLOSURES)("stores the closure $name", async ({ directories }) => {
      const root = await test.service().putMultiple(directories);
      expect(root.toString()).toBe(rootOf(directories));
      await expectStored(directories);
    });

    it("stores any closure", () =>
      fc.assert(
        fc.asyncProperty(closures(), async ({ directories, root }) => {
          const digest = await test.service().putMultiple(new WatchedSource(directories));
          expect(digest.equals(root.digest)).toBe(true);
          await expectStored(directories);
        }),
        { seed: 1, numRuns: 40 },
      ));

    it("stores a closure again without a change", async () => {
      for (let round = 0; round < 2; round++) {
        const root = await test.service().putMultiple([A, B, D]);
        expect(root.toString()).toBe(rootOf([D]));
      }
      await expectStored([A, B, D]);
    });

    it("stores a closure 20 times at once", async () => {
      const directories = chain(20, 3);
      const puts = Array.from({ length: 20 }, () => test.service().putMultiple(directories));
      for (const root of await Promise.all(puts)) {
        expect(root.toString()).toBe(rootOf(directories));
      }
      await expectStored(directories);
    });

    it("allows a Directory to come again, even the root", async () => {
      const root = await test.service().putMultiple([A, B, A, A, D, B, D]);
      expect(root.toString()).toBe(rootOf([D]));
      await expectStored([A, B, D]);
    });

    it("stores a closure of 3,000 levels", async () => {
      const directories = chain(3000);
      const root = await test.service().putMultiple(directories);
      expect(root.toString()).toBe(rootOf(directories));
      await expectStored(directories.slice(-2));
    });

    it("stores a Directory of 100,000 entries", async () => {
      const directories = [Directory.EMPTY, largeDirectory(100_000)];
      const root = await test.service().putMultiple(directories);
      expect(root.toString()).toBe(rootOf(directories));
      await expectStored(directories);
    });

    it.each(REFUSED)("refuses as %s: %s", async (reason, _label, directories) => {
      const source = new WatchedSource(directories);
      const put = test.service().putMultiple(source);
      await expect(put).rejects.toBeInstanceOf(InvalidDirectoryClosureError);
      await expect(put).rejects.toMatchObject({ reason, code: "INVALID_ARGUMENT" });
      expect(source.released).toBe(true);
      await expectNothingStored(directories);
    });

    it("wants every child in the stream, also one that is stored already", async () => {
      await test.service().put(KEEP);
      const put = test.service().putMultiple([sized(KEEP, 1n)]);
      await expect(put).rejects.toMatchObject({ reason: "unknown-child" });
    });

    it("stores nothing when its source fails", async () => {
      const failure = new Error("the source failed");
      const directories = [A, B, D];
      const source = new WatchedSource(directories, failure);
      await expect(test.service().putMultiple(source)).rejects.toBe(failure);
      await expectNothingStored(directories);
    });

    it("asks for nothing when it was aborted before it began", async () => {
      const reason = new Error("the user pressed a key");
      const source = new WatchedSource([KEEP]);
      const put = test.service().putMultiple(source, { signal: AbortSignal.abort(reason) });
      await expect(put).rejects.toBe(reason);
      expect(source.pulled).toBe(0);
      expect(source.released || source.opened === 0).toBe(true);
      await expectNothingStored([KEEP]);
    });

    it("does not wait for a source that hangs when it is aborted", async () => {
      const reason = new Error("the user pressed a key");
      const controller = new AbortController();
      const source = new WatchedSource([A, B, D], "hang");
      source.onHang = () => controller.abort(reason);
      const put = test.service().putMultiple(source, { signal: controller.signal });
      await expect(put).rejects.toBe(reason);
      expect(source.released).toBe(true);
      await expectNothingStored([B, D]);
    });

    it("keeps the closure when it is opened again", async ({ skip }) => {
      const { reopen } = test.harness();
      if (reopen === undefined) skip("this service's data end with it");
      await test.service().putMultiple([A, B, D]);
      const service = await reopen?.call(test.harness());
      for (const directory of [B, D]) {
        expect(await service?.get(directoryDigest(directory))).toBeDefined();
      }
    });
  });
}
