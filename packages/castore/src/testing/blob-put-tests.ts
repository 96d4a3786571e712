import { describe, expect, it } from "vitest";
import { concatBytes, toUtf8 } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { BlobServiceUnderTest } from "./blob-service-suite.js";
import { expectAbsent, expectSameBytes, readAll } from "./expectations.js";
import { BLOB_FIXTURES } from "./fixtures.js";
import { seededBytes } from "./seeded-random.js";
import { piecesOf, reusedPiecesOf, WatchedSource } from "./sources.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Around the borders of hash blocks and of the usual minimum, average and maximum of chunks. */
const SIZES = [1, 2, 1023, 1024, 1025, 64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB, 5 * MIB].flatMap(
  (size) => (size < 64 * KIB || size === 5 * MIB ? [size] : [size - 1, size, size + 1]),
);

/** @internal */
export function blobPutTests(test: BlobServiceUnderTest): void {
  describe("put()", () => {
    it.each(BLOB_FIXTURES)("stores $name under the known digest", async ({ bytes, digest }) => {
      const stored = await test.service().put([bytes]);
      expect(stored.toHex()).toBe(digest);
      expect(await test.service().has(stored)).toBe(true);
      expectSameBytes(await readAll(test.service(), stored), bytes);
    });

    it.each(SIZES)("gives back %s bytes that do not compress", async (size) => {
      const bytes = seededBytes(size, size);
      const digest = await test.service().put(piecesOf(bytes, 60_000));
      expect(digest.equals(blake3(bytes))).toBe(true);
      expectSameBytes(await readAll(test.service(), digest), bytes);
    });

    it.each([100, 200 * KIB, 3 * MIB])("gives back %s bytes that compress well", async (size) => {
      const bytes = new Uint8Array(size).map((_, i) => (i >> 12) & 0xff);
      const digest = await test.service().put([bytes]);
      expect(digest.equals(blake3(bytes))).toBe(true);
      expectSameBytes(await readAll(test.service(), digest), bytes);
    });

    it("takes no piece at all for the empty blob", async () => {
      const digest = await test.service().put([]);
      expect(digest.equals(blake3(new Uint8Array(0)))).toBe(true);
      expect(await readAll(test.service(), digest)).toEqual(new Uint8Array(0));
    });

    it.each([
      ["byte by byte", (bytes: Uint8Array) => piecesOf(bytes, 1)],
      ["with empty pieces between", withEmptyPieces],
      ["as Buffers", (bytes: Uint8Array) => [Buffer.from(bytes)]],
      ["in memory that is used again", (bytes: Uint8Array) => reusedPiecesOf(bytes, 7)],
      ["from an async source", (bytes: Uint8Array) => new WatchedSource(piecesOf(bytes, 5))],
    ])("takes a blob %s", async (_label, source) => {
      const bytes = seededBytes(2, 3000);
      const digest = await test.service().put(source(bytes));
      expect(digest.equals(blake3(bytes))).toBe(true);
      expectSameBytes(await readAll(test.service(), digest), bytes);
    });

    it("takes a large blob in memory that is used again", async () => {
      const bytes = seededBytes(3, 2 * MIB);
      const digest = await test.service().put(reusedPiecesOf(bytes, 64 * KIB));
      expect(digest.equals(blake3(bytes))).toBe(true);
      expectSameBytes(await readAll(test.service(), digest), bytes);
    });

    it("takes a blob cut at any place", async () => {
      const bytes = seededBytes(4, 64);
      for (let cut = 0; cut <= bytes.byteLength; cut++) {
        const digest = await test.service().put([bytes.subarray(0, cut), bytes.subarray(cut)]);
        expect(digest.equals(blake3(bytes))).toBe(true);
      }
      expectSameBytes(await readAll(test.service(), blake3(bytes)), bytes);
    });

    it.each([10, 2 * MIB])("stores %s bytes again without a change", async (size) => {
      const bytes = seededBytes(5, size);
      const first = await test.service().put([bytes]);
      const second = await test.service().put(piecesOf(bytes, 1000));
      expect(second.equals(first)).toBe(true);
      expectSameBytes(await readAll(test.service(), first), bytes);
    });

    it.each([10, 300 * KIB, 2 * MIB])("stores %s bytes 20 times at once", async (size) => {
      const bytes = seededBytes(6, size);
      const puts = Array.from({ length: 20 }, () => test.service().put(piecesOf(bytes, 100_000)));
      for (const digest of await Promise.all(puts)) {
        expect(digest.equals(blake3(bytes))).toBe(true);
      }
      expectSameBytes(await readAll(test.service(), blake3(bytes)), bytes);
    });

    it("stores 20 different blobs at once", async () => {
      const blobs = Array.from({ length: 20 }, (_, i) => seededBytes(100 + i, 1000 * i * i));
      const digests = await Promise.all(
        blobs.map((bytes) => test.service().put(piecesOf(bytes, 50_000))),
      );
      for (const [i, bytes] of blobs.entries()) {
        expectSameBytes(await readAll(test.service(), digests[i] as B3Digest), bytes);
      }
    });
  });

  describe("put() of a source that fails", () => {
    it.each([100, 300 * KIB, 3 * MIB])("stores nothing after %s bytes", async (size) => {
      const bytes = seededBytes(7, size);
      const failure = new Error("the source failed");
      const source = new WatchedSource(piecesOf(bytes, 100_000), failure);
      await expect(test.service().put(source)).rejects.toBe(failure);
      await expectAbsent(test.service(), blake3(bytes));
    });

    it("stores nothing when it fails at once", async () => {
      const failure = new Error("the source failed");
      await expect(test.service().put(new WatchedSource([], failure))).rejects.toBe(failure);
      expect(await test.service().has(blake3(toUtf8("x")))).toBe(false);
    });

    it("goes on working", async () => {
      const bytes = seededBytes(8, 300 * KIB);
      await expect(
        test.service().put(new WatchedSource(piecesOf(bytes, 1000), new Error("x"))),
      ).rejects.toThrow("x");
      const digest = await test.service().put([bytes]);
      expectSameBytes(await readAll(test.service(), digest), bytes);
    });

    it("refuses text, as a stream with an encoding yields it, and closes the source", async () => {
      const source = new WatchedSource<unknown>([toUtf8("ab"), "cd"]);
      const put = test.service().put(source as AsyncIterable<Uint8Array>);
      await expect(put).rejects.toThrow(TypeError);
      expect(source.released).toBe(true);
      for (const text of ["", "ab", "abcd"]) {
        expect(await test.service().has(blake3(toUtf8(text)))).toBe(false);
      }
    });
  });

  describe("put() that is aborted", () => {
    const reason = new Error("the user pressed a key");

    it("asks for nothing when it was before it began", async () => {
      const bytes = seededBytes(9, 100);
      const source = new WatchedSource([bytes]);
      const put = test.service().put(source, { signal: AbortSignal.abort(reason) });
      await expect(put).rejects.toBe(reason);
      expect(source.pulled).toBe(0);
      expect(source.released || source.opened === 0).toBe(true);
      await expectAbsent(test.service(), blake3(bytes));
    });

    it("closes its source", async () => {
      const controller = new AbortController();
      const pieces = Array.from({ length: 1000 }, (_, i) => Uint8Array.of(i));
      const source = new WatchedSource(abortAt(pieces, 10, () => controller.abort(reason)));
      const put = test.service().put(source, { signal: controller.signal });
      await expect(put).rejects.toBe(reason);
      expect(source.pulled).toBeLessThan(100);
      expect(source.released).toBe(true);
      await expectAbsent(test.service(), blake3(concatBytes(pieces)));
    });

    it.each([10, 2 * MIB])("does not wait for a source that hangs (%s bytes)", async (size) => {
      const controller = new AbortController();
      const bytes = seededBytes(10, size);
      const source = new WatchedSource(piecesOf(bytes, 100_000), "hang");
      source.onHang = () => controller.abort(reason);
      const put = test.service().put(source, { signal: controller.signal });
      await expect(put).rejects.toBe(reason);
      expect(source.released).toBe(true);
      await expectAbsent(test.service(), blake3(bytes));
    });
  });

  describe("putMany()", () => {
    const blobs = [3, 0, 1, 200_000, 1, 700_000, 2].map((size, i) => seededBytes(20 + i, size));

    it("returns digests in the order of the blobs", async () => {
      const digests = await test.service().putMany(blobs);
      expect(digests.map(String)).toEqual(blobs.map((bytes) => blake3(bytes).toString()));
      for (const [i, bytes] of blobs.entries()) {
        expectSameBytes(await readAll(test.service(), digests[i] as B3Digest), bytes);
      }
    });

    it("takes no blobs", async () => {
      expect(await test.service().putMany([])).toEqual([]);
    });

    it("takes the same blob several times, also one that is there", async () => {
      const [a, b] = [seededBytes(30, 100), seededBytes(31, 200)];
      await test.service().put([b]);
      const digests = await test.service().putMany([a, b, a, a, b]);
      const expected = [a, b, a, a, b].map((bytes) => blake3(bytes).toString());
      expect(digests.map(String)).toEqual(expected);
      expectSameBytes(await readAll(test.service(), blake3(a)), a);
      expectSameBytes(await readAll(test.service(), blake3(b)), b);
    });

    it("takes thousands of blobs", async () => {
      const many = Array.from({ length: 3000 }, (_, i) => seededBytes(i, 1 + (i % 90)));
      const digests = await test.service().putMany(many);
      expect(digests.map(String)).toEqual(many.map((bytes) => blake3(bytes).toString()));
      expect(await test.service().hasMany(digests)).toEqual(many.map(() => true));
      for (const i of [0, 1, 1499, 2999]) {
        const bytes = many[i] as Uint8Array;
        expectSameBytes(await readAll(test.service(), blake3(bytes)), bytes);
      }
    });

    it("can run many times at once, with blobs in common", async () => {
      const shared = seededBytes(40, 5000);
      const batches = Array.from({ length: 10 }, (_, i) => [shared, seededBytes(50 + i, 5000)]);
      const all = await Promise.all(batches.map((batch) => test.service().putMany(batch)));
      for (const [i, batch] of batches.entries()) {
        expect(all[i]?.map(String)).toEqual(batch.map((bytes) => blake3(bytes).toString()));
        expectSameBytes(
          await readAll(test.service(), blake3(batch[1] as Uint8Array)),
          batch[1] as Uint8Array,
        );
      }
    });

    it("stores nothing when it was aborted before it began", async () => {
      const reason = new Error("the user pressed a key");
      const signal = AbortSignal.abort(reason);
      await expect(test.service().putMany(blobs, { signal })).rejects.toBe(reason);
      await expectAbsent(test.service(), blake3(blobs[0] as Uint8Array));
    });
  });

  describe("reopened", () => {
    it("has what was stored before", async ({ skip }) => {
      const { reopen } = test.harness();
      if (reopen === undefined) skip("this service's data end with it");
      const blobs = [0, 1, 1000, 5 * MIB].map((size) => seededBytes(60, size));
      for (const bytes of blobs) await test.service().put([bytes]);
      await test.service().putMany([seededBytes(61, 10)]);
      const service = await reopen?.call(test.harness());
      if (service === undefined) expect.fail("reopen() returned no service");
      for (const bytes of [...blobs, seededBytes(61, 10)]) {
        expectSameBytes(await readAll(service, blake3(bytes)), bytes);
      }
      expect(await service.has(B3Digest.fromBytes(new Uint8Array(32)))).toBe(false);
    });
  });
}

function* withEmptyPieces(bytes: Uint8Array): Generator<Uint8Array, void> {
  yield new Uint8Array(0);
  for (const piece of piecesOf(bytes, 100)) {
    yield piece;
    yield new Uint8Array(0);
  }
}

function* abortAt<T>(items: readonly T[], index: number, abort: () => void): Generator<T, void> {
  for (const [i, item] of items.entries()) {
    if (i === index) abort();
    yield item;
  }
}
