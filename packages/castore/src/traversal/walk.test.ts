import { describe, expect, it } from "vitest";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import { directoryNode, fileNode } from "../nodes/node.js";
import {
  chain,
  closureFixture,
  directoryOf,
  NOWHERE,
  nodeOf,
} from "../testing/directory-builders.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { collect } from "../testing/sources.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { type GetDirectory, walkClosure } from "./walk.js";

function getFrom(directories: readonly Directory[]): GetDirectory {
  const byKey = new Map(directories.map((item) => [directoryDigest(item).key, item]));
  return async (digest) => byKey.get(digest.key);
}

/** A root with `width` children, each of its own kind. */
function fan(width: number): Directory[] {
  const leaves = Array.from({ length: width }, (_, i) =>
    directoryOf({ f: fileNode(EMPTY_DIGEST, BigInt(i)) }),
  );
  const entries = leaves.map(
    (leaf, i) => [`d${String(i).padStart(4, "0")}`, nodeOf(leaf)] as const,
  );
  return [directoryOf(Object.fromEntries(entries)), ...leaves];
}

describe("walkClosure()", () => {
  it.each([0, 1, 7, 1000])("gives the same order with a prefetch of %s", async (prefetch) => {
    const directories = fan(50);
    const root = directoryDigest(directories[0] as Directory);
    const actual = await collect(walkClosure(getFrom(directories), root, { prefetch }));
    expect(actual.map((item) => directoryDigest(item).toHex())).toEqual(
      directories.map((item) => directoryDigest(item).toHex()),
    );
  });

  it.each([
    [0, 1],
    [4, 5],
    [undefined, 17],
  ])("with a prefetch of %s, has at most %s calls running", async (prefetch, most) => {
    const directories = fan(100);
    const get = getFrom(directories);
    let running = 0;
    let peak = 0;
    const counting: GetDirectory = async (digest, options) => {
      peak = Math.max(peak, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return get(digest, options);
    };
    const root = directoryDigest(directories[0] as Directory);
    const options = prefetch === undefined ? {} : { prefetch };
    expect(await collect(walkClosure(counting, root, options))).toHaveLength(101);
    expect(peak).toBe(most);
  });

  it("asks for each Directory once", async () => {
    const directories = chain(40, 3);
    const asked: string[] = [];
    const get = getFrom(directories);
    const root = directoryDigest(directories.at(-1) as Directory);
    await collect(
      walkClosure((digest, options) => {
        asked.push(digest.key);
        return get(digest, options);
      }, root),
    );
    expect(asked).toHaveLength(40);
    expect(new Set(asked).size).toBe(40);
  });

  it("yields nothing when the root is not there", async () => {
    expect(await collect(walkClosure(getFrom([]), NOWHERE))).toEqual([]);
  });

  it("fails when one below the root is not there, after those before it", async () => {
    const [a, , b, d] = closureFixture(["A", "WITH_KEEP", "B", "D"]) as [
      Directory,
      Directory,
      Directory,
      Directory,
    ];
    const seen: Directory[] = [];
    const walk = async (): Promise<void> => {
      for await (const item of walkClosure(getFrom([a, d]), directoryDigest(d))) seen.push(item);
    };
    await expect(walk()).rejects.toThrow(
      `Cannot walk directory ${directoryDigest(d)}: ${directoryDigest(b)} below it is not stored`,
    );
    await expect(walk()).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
    expect(seen.length).toBe(4);
  });

  it("passes a failure of the service on as it is", async () => {
    const failure = new CastoreError("STORAGE", "disk on fire");
    const root = directoryOf({ a: directoryNode(NOWHERE, 1n) });
    const get: GetDirectory = async (digest) => {
      if (digest.equals(NOWHERE)) throw failure;
      return root;
    };
    await expect(collect(walkClosure(get, directoryDigest(root)))).rejects.toBe(failure);
  });

  it("cancels what it has fetched ahead when it is left, and nothing fails unseen", async () => {
    const directories = fan(100);
    const get = getFrom(directories);
    const signals: AbortSignal[] = [];
    const hanging: GetDirectory = (digest, options) => {
      if (signals.length < 2) {
        signals.push(options.signal as AbortSignal);
        return get(digest, options);
      }
      const { signal } = options;
      signals.push(signal as AbortSignal);
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    };
    let count = 0;
    for await (const _ of walkClosure(hanging, directoryDigest(directories[0] as Directory))) {
      count++;
      if (count === 2) break;
    }
    // An unhandled rejection would fail the run.
    expect(signals.length).toBe(18);
    expect(signals.map((signal) => signal.aborted)).toEqual(signals.map((_, i) => i >= 2));
  });

  it("rejects with the reason of its signal while a call hangs", async () => {
    const reason = new Error("the user pressed a key");
    const controller = new AbortController();
    const hanging: GetDirectory = (_digest, { signal }) => {
      queueMicrotask(() => controller.abort(reason));
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    };
    const walk = collect(walkClosure(hanging, NOWHERE, { signal: controller.signal }));
    await expect(walk).rejects.toBe(reason);
  });
});
