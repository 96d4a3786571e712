import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalStore } from "@tvix/castore/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSideCache, type SideCache } from "./side-cache.js";

const KEY = new Uint8Array(32);
const OTHER_KEY = new Uint8Array(32).fill(1);
const VALUE = Uint8Array.of(1, 2, 3);

let home = "";
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "tvix-side-cache-"));
});
const stores: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await rm(home, { recursive: true });
});

async function openCache(place = "somewhere"): Promise<SideCache> {
  const sources = { env: { XDG_CACHE_HOME: home }, homeDirectory: "/nowhere", isRoot: false };
  const cache = await openSideCache(place, sources);
  stores.push(cache);
  return cache;
}

/** Somebody else with the right to write to the only cache there is. */
async function writeElsewhere(): Promise<LocalStore> {
  const first = await openCache();
  await first.derived("space").put(OTHER_KEY, VALUE);
  await first.close();
  const [name] = await readdir(join(home, "tvix"));
  const other = await LocalStore.open(join(home, "tvix", name ?? ""));
  stores.push(other);
  await other.holdForWriting();
  return other;
}

describe("openSideCache()", () => {
  it("remembers from one time to the next", async () => {
    const cache = await openCache();
    await cache.derived("space").put(KEY, VALUE);
    await cache.close();
    const next = (await openCache()).derived("space");
    expect(await next.get(KEY)).toEqual(VALUE);
    expect(await next.get(OTHER_KEY)).toBeUndefined();
  });

  it("remembers for each place of its own", async () => {
    await (await openCache("somewhere")).derived("space").put(KEY, VALUE);
    expect(await (await openCache("elsewhere")).derived("space").get(KEY)).toBeUndefined();
  });

  it("waits for nobody else who writes, however long that goes on", async () => {
    await writeElsewhere();
    const cache = await openCache();
    await cache.derived("space").put(KEY, VALUE);
    expect(await cache.derived("space").get(OTHER_KEY)).toEqual(VALUE);
    await cache.close();
    expect(await (await openCache()).derived("space").get(KEY)).toBeUndefined();
  });

  it("remembers what came meanwhile once the other one has ended", async () => {
    const other = await writeElsewhere();
    const cache = (await openCache()).derived("space");
    await cache.putMany([{ key: KEY, value: VALUE }]);
    await other.close();
    await expect.poll(() => cache.get(KEY), { timeout: 30_000 }).toEqual(VALUE);
  });

  it("holds only so much meanwhile, and takes more afterwards", async () => {
    const other = await writeElsewhere();
    const cache = (await openCache()).derived("space");
    await cache.put(KEY, new Uint8Array(17 * 1024 * 1024));
    const late = new Uint8Array(32).fill(2);
    await cache.put(late, VALUE);
    await other.close();
    await expect.poll(() => cache.get(KEY), { timeout: 30_000 }).toBeDefined();
    expect(await cache.get(late)).toBeUndefined();
    const putAgain = async (): Promise<Uint8Array | undefined> => {
      await cache.put(late, VALUE);
      return await cache.get(late);
    };
    await expect.poll(putAgain, { timeout: 30_000 }).toEqual(VALUE);
  });
});
