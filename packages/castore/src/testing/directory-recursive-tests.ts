import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { RootToLeavesValidator } from "../directoryservice/order-validator.js";
import type { Directory } from "../nodes/directory.js";
import { directoryNode, fileNode } from "../nodes/node.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { closures } from "./arbitraries.js";
import { CLOSURES, chain, directoryOf, NOWHERE, nodeOf } from "./directory-builders.js";
import type { DirectoryServiceUnderTest } from "./directory-service-suite.js";
import { directoryFixture, EMPTY_DIGEST } from "./fixtures.js";
import { collect } from "./sources.js";

/** @internal */
export function directoryRecursiveTests(test: DirectoryServiceUnderTest): void {
  async function closureOf(root: B3Digest, options?: CallOptions): Promise<Directory[]> {
    return collect(test.service().getRecursive(root, options));
  }

  describe("getRecursive()", () => {
    it("yields nothing when the root is not stored", async () => {
      expect(await closureOf(NOWHERE)).toEqual([]);
    });

    it.each(CLOSURES)("yields the closure $name, breadth first", async ({ directories }) => {
      const root = await test.service().putMultiple(directories);
      const actual = (await closureOf(root)).map((directory) => directoryDigest(directory).toHex());
      expect(actual).toEqual(breadthFirst(directories));
    });

    it("yields any closure breadth first, each Directory once, children by name", () =>
      fc.assert(
        fc.asyncProperty(closures(), async ({ directories, root }) => {
          await test.service().putMultiple(directories);
          const actual = await closureOf(root.digest);
          expect(actual.map((directory) => directoryDigest(directory).toHex())).toEqual(
            breadthFirst(directories),
          );
          const validator = new RootToLeavesValidator(root.digest);
          for (const directory of actual) validator.add(directory);
          expect(validator.finalize()).toBe("complete");
        }),
        { seed: 2, numRuns: 40 },
      ));

    it("goes by names, not by digests or the order of storing", async () => {
      const leaves = Array.from({ length: 30 }, (_, i) =>
        directoryOf({ [`f${i}`]: fileNode(EMPTY_DIGEST, BigInt(i)) }),
      );
      const entries = leaves.map(
        (leaf, i) => [`d${String(i).padStart(2, "0")}`, nodeOf(leaf)] as const,
      );
      const directories = [...leaves.toReversed(), directoryOf(Object.fromEntries(entries))];
      const root = await test.service().putMultiple(directories);
      const actual = (await closureOf(root)).map((directory) => directoryDigest(directory).toHex());
      const children = leaves.map((leaf) => directoryDigest(leaf).toHex());
      expect(actual).toEqual([root.toHex(), ...children]);
    });

    it("visits each Directory once where paths to it double with every level", async () => {
      const directories = chain(60, 2);
      const root = await test.service().putMultiple(directories);
      const actual = (await closureOf(root)).map((directory) => directoryDigest(directory).toHex());
      const digests = directories.map((directory) => directoryDigest(directory).toHex());
      expect(actual).toEqual(digests.toReversed());
    });

    it("yields 3,000 levels", async () => {
      const directories = chain(3000);
      const root = await test.service().putMultiple(directories);
      expect(await closureOf(root)).toHaveLength(3000);
    });

    it("yields what is below any Directory, not only below roots", async () => {
      await test
        .service()
        .putMultiple(["A", "B", "D", "E"].map((name) => directoryFixture(name).directory));
      const inner = directoryDigest(directoryFixture("D").directory);
      expect(await closureOf(inner)).toHaveLength(3);
    });

    it("fails when a Directory below the root is not stored", async ({ skip }) => {
      if (test.options.checksChildren !== false) skip("this service stores whole closures only");
      const parent = directoryOf({ a: fileNode(EMPTY_DIGEST, 1n), b: directoryNode(NOWHERE, 1n) });
      const root = await test.service().put(parent);
      const seen: Directory[] = [];
      const read = async (): Promise<void> => {
        for await (const directory of test.service().getRecursive(root)) seen.push(directory);
      };
      await expect(read()).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
      expect(seen).toHaveLength(1);
    });

    it("can be left early, and begun again", async () => {
      const directories = chain(100);
      const root = await test.service().putMultiple(directories);
      for (let round = 0; round < 3; round++) {
        for await (const directory of test.service().getRecursive(root)) {
          expect(directoryDigest(directory).equals(root)).toBe(true);
          break;
        }
      }
      expect(await closureOf(root)).toHaveLength(100);
    });

    it("rejects with the reason when it is aborted, before and during", async () => {
      const reason = new Error("the user pressed a key");
      const root = await test.service().putMultiple(chain(100));
      const before = closureOf(root, { signal: AbortSignal.abort(reason) });
      await expect(before).rejects.toBe(reason);
      const controller = new AbortController();
      let count = 0;
      const read = async (): Promise<void> => {
        for await (const _ of test.service().getRecursive(root, { signal: controller.signal })) {
          count++;
          if (count === 3) controller.abort(reason);
        }
      };
      await expect(read()).rejects.toBe(reason);
      expect(count).toBeLessThan(100);
    });

    it("runs many times at once", async () => {
      const root = await test.service().putMultiple(chain(50, 2));
      const all = await Promise.all(Array.from({ length: 10 }, () => closureOf(root)));
      expect(all.map((directories) => directories.length)).toEqual(new Array(10).fill(50));
    });
  });
}

/** The order that is due, by the simplest code there is; the root is the last of `directories`. */
function breadthFirst(directories: readonly Directory[]): string[] {
  const byDigest = new Map(directories.map((item) => [directoryDigest(item).toHex(), item]));
  const order = [directoryDigest(directories.at(-1) as Directory).toHex()];
  for (const digest of order) {
    for (const { node } of byDigest.get(digest)?.entries ?? []) {
      if (node.type !== "directory" || order.includes(node.digest.toHex())) continue;
      order.push(node.digest.toHex());
    }
  }
  return order;
}
