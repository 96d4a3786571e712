import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pageBytes, pageCount, topBytes } from "../bao/outboard.js";
import { SliceDecoder } from "../bao/slice-decoder.js";
import { treeOf } from "../bao/tree-builder.js";
import { GROUP_LOG, TreeShape } from "../bao/tree-shape.js";
import { sliceOf } from "../blobservice/blob-slice.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { LocalStore } from "./local-store.js";

const MIB = 1024 * 1024;
const SPACE = "blake3-tree-16k";
const BLOB = seededBytes(1, 9 * MIB + 5);
const RANGE = { offset: 5 * MIB, length: 100 };

function pageKey(digest: B3Digest, page: number): Uint8Array {
  return concatBytes([digest.toBytes(), Uint8Array.of(page, 0, 0, 0)]);
}

async function readSlice(store: LocalStore, digest: B3Digest): Promise<Uint8Array> {
  const tree = await store.blobs.tree?.(digest);
  const reader = await store.blobs.openRead(digest);
  if (tree === undefined || reader === undefined) expect.fail("The blob is not stored");
  const decoder = new SliceDecoder(digest, RANGE, { inputLength: BLOB.byteLength });
  const parts: Uint8Array[] = [];
  const slice = sliceOf(digest, { reader, tree }, RANGE);
  for await (const piece of slice) parts.push(...decoder.push(piece));
  decoder.finish();
  return concatBytes(parts);
}

describe("trees of blobs in a local store", () => {
  const scratch = scratchDirectory();
  const expected = BLOB.subarray(RANGE.offset, RANGE.offset + RANGE.length);
  const tree = treeOf(BLOB);
  let store: LocalStore;
  let digest: B3Digest;

  beforeEach(async () => {
    store = await LocalStore.open(scratch());
    digest = await store.blobs.put([BLOB]);
  });

  afterEach(() => store.close());

  it("are kept, all of them, once a part was asked for", async () => {
    expect(await store.derived(SPACE).get(digest.toBytes())).toBeUndefined();
    expect(await readSlice(store, digest)).toEqual(expected);
    const shape = new TreeShape(BLOB.byteLength, GROUP_LOG);
    expect(await store.derived(SPACE).get(digest.toBytes())).toEqual(tree.top);
    expect(tree.top.byteLength).toBe(topBytes(shape));
    expect(pageCount(shape)).toBe(3);
    for (let i = 0; i < 3; i++) {
      const page = await store.derived(SPACE).get(pageKey(digest, i));
      expect(page).toEqual(await tree.page(i));
      expect(page?.byteLength).toBe(pageBytes(shape, i));
    }
  });

  it("are not made for blobs of one page", async () => {
    const small = await store.blobs.put([BLOB.subarray(0, 4 * MIB)]);
    await (await store.blobs.tree?.(small))?.page(0);
    expect(await store.derived(SPACE).get(small.toBytes())).toBeUndefined();
    expect(await store.derived(SPACE).get(pageKey(small, 0))).toBeUndefined();
  });

  it.each([
    ["the top", (key: B3Digest) => key.toBytes(), tree.top],
    [
      "a page",
      (key: B3Digest) => pageKey(key, 1),
      new Uint8Array(pageBytes(new TreeShape(BLOB.byteLength, GROUP_LOG), 1)),
    ],
    ["a page of another length", (key: B3Digest) => pageKey(key, 1), new Uint8Array(64)],
  ])("are made again where %s is wrong", async (_name, keyOf, value) => {
    await readSlice(store, digest);
    const right = await store.derived(SPACE).get(keyOf(digest));
    const wrong = value.slice();
    wrong[0] = (wrong[0] as number) ^ 1;
    await store.derived(SPACE).put(keyOf(digest), wrong);
    await store.close();
    store = await LocalStore.open(scratch());
    await store.holdForWriting();
    expect(await readSlice(store, digest)).toEqual(expected);
    expect(await store.derived(SPACE).get(keyOf(digest))).toEqual(right);
  });

  it("are made in memory by a process that does not write", async () => {
    await store.close();
    store = await LocalStore.open(scratch(), { readOnly: true });
    expect(await readSlice(store, digest)).toEqual(expected);
    expect(await readSlice(store, digest)).toEqual(expected);
    expect(await store.derived(SPACE).get(digest.toBytes())).toBeUndefined();
  });

  it("go on being made when nobody waits for them any more", async () => {
    const cancel = new AbortController();
    const reason = new Error("enough");
    const wait = store.blobs.tree?.(digest, { signal: cancel.signal });
    cancel.abort(reason);
    await expect(wait).rejects.toBe(reason);
    expect(await readSlice(store, digest)).toEqual(expected);
  });
});
