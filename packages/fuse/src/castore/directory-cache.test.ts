import { type B3Digest, type Directory, directoryDigest } from "@tvix/castore";
import { largeDirectory } from "@tvix/castore/testing";
import { describe, expect, it } from "vitest";
import { DirectoryCache } from "./directory-cache.js";

const NEVER = new AbortController().signal;

/** A cache over so many Directories, which counts how often each is fetched. */
function cacheOf(lengths: readonly number[], maxEntries: number) {
  const all = lengths.map(largeDirectory);
  const digests = all.map(directoryDigest);
  const fetched = lengths.map(() => 0);
  const get = async (digest: B3Digest): Promise<Directory | undefined> => {
    const i = digests.findIndex((known) => known.equals(digest));
    fetched[i] = (fetched[i] ?? 0) + 1;
    return all[i];
  };
  const cache = new DirectoryCache({ get }, maxEntries);
  const use = async (i: number): Promise<void> => {
    const digest = digests[i] as B3Digest;
    if (cache.peek(digest) === undefined) await cache.fetch(digest, NEVER);
  };
  return { cache, digests, fetched, use };
}

describe("DirectoryCache", () => {
  it("has at hand what was fetched", async () => {
    const { cache, digests, use } = cacheOf([3], 100);
    const digest = digests[0] as B3Digest;
    expect(cache.peek(digest)).toBeUndefined();
    await use(0);
    expect(cache.peek(digest)?.entries).toHaveLength(3);
    cache.clear();
    expect(cache.peek(digest)).toBeUndefined();
  });

  it("drops what was not used for longest", async () => {
    const { fetched, use } = cacheOf([20, 21, 22, 23, 24], 100);
    for (const i of [0, 1, 2, 3, 0, 4, 0, 1]) await use(i);
    expect(fetched).toEqual([1, 2, 1, 1, 1]);
  });

  it("keeps a large one while many small ones are used", async () => {
    const { fetched, use } = cacheOf([1000, ...Array.from({ length: 24 }, (_, i) => i)], 100);
    for (let i = 1; i <= 24; i++) {
      await use(0);
      await use(i);
    }
    expect(fetched[0]).toBe(1);
  });

  it("keeps of large ones those that there is room for, and at least one", async () => {
    const { fetched, use } = cacheOf([90, 91, 92, 1000], 100);
    for (const i of [0, 1, 0, 1, 2, 1, 3, 3, 2]) await use(i);
    expect(fetched).toEqual([1, 1, 2, 1]);
  });

  it("fails for what is not stored", async () => {
    const { cache } = cacheOf([], 100);
    const digest = directoryDigest(largeDirectory(1));
    const failing = cache.fetch(digest, NEVER);
    await expect(failing).rejects.toMatchObject({ code: "MISSING_REFERENCE" });
  });
});
