import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { LocalStore } from "./local-store.js";

const scratch = scratchDirectory();

const BYTES = seededBytes(11, 3_000_000);
const SMALL = seededBytes(12, 500);

/** A store with a blob of several chunks, one of which, not the first, the index has lost. */
async function damagedStore(): Promise<{ store: LocalStore; digest: B3Digest; small: B3Digest }> {
  const first = await LocalStore.open(scratch("store"));
  const digest = await first.blobs.put([BYTES]);
  const small = await first.blobs.put([SMALL]);
  const chunks = (await first.blobs.chunks(digest)) ?? [];
  await first.close();
  expect(chunks.length).toBeGreaterThan(2);
  const index = new Database(scratch("store/meta.sqlite"));
  const lost = index.prepare("delete from record where key = ?").run(chunks[2]?.digest.toBytes());
  index.close();
  expect(lost.changes).toBe(1);
  return { store: await LocalStore.open(scratch("store")), digest, small };
}

describe("a blob that lacks a chunk", () => {
  it("is not there, and a new upload makes it whole", async () => {
    const { store, digest, small } = await damagedStore();
    const absent = blake3(new Uint8Array(3));
    expect(await store.blobs.has(digest)).toBe(false);
    const all = [small, digest, absent, small];
    expect(await store.blobs.hasMany(all)).toEqual([true, false, false, true]);
    expect(await store.blobs.put([BYTES])).toEqual(digest);
    expect(await store.blobs.has(digest)).toBe(true);
    expect(await store.blobs.hasMany(all)).toEqual([true, true, false, true]);
    await store.close();
  });
});
