import { describe, expect, it } from "vitest";
import type { BlobReader, ByteRange } from "../blobservice/blob-service.js";
import { openBlobs } from "../blobservice/open-blobs.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { BlobServiceUnderTest } from "./blob-service-suite.js";
import { expectAbsent, expectSameBytes, readAll } from "./expectations.js";
import { SeededRandom, seededBytes } from "./seeded-random.js";
import { collect } from "./sources.js";

const MULTI_CHUNK_BYTES = 5 * 1024 * 1024;

/** @internal */
export function blobReadTests(test: BlobServiceUnderTest): void {
  const multiChunk = seededBytes(1, MULTI_CHUNK_BYTES);
  const nowhere = blake3(seededBytes(2, 77));

  async function open(bytes: Uint8Array): Promise<BlobReader> {
    const digest = await test.service().put([bytes]);
    const reader = await test.service().openRead(digest);
    if (reader === undefined) expect.fail("A blob that was stored is not there");
    return reader;
  }

  describe("a blob that is not stored", () => {
    it("is absent, without an error", async () => {
      await expectAbsent(test.service(), nowhere);
      await test.service().put([seededBytes(3, 100)]);
      await expectAbsent(test.service(), nowhere);
    });
  });

  describe("openRead() that is told the size", () => {
    async function read(reader: BlobReader | undefined): Promise<Uint8Array> {
      if (reader === undefined) expect.fail("A blob that was stored is not there");
      return concatBytes(await collect(reader.stream()));
    }

    it.each([0, 1, 1000, 300_000])("gives the blob of %s bytes", async (expectedSize) => {
      const bytes = seededBytes(21, expectedSize);
      const digest = await test.service().put([bytes]);
      const reader = await test.service().openRead(digest, { expectedSize });
      expect(reader?.size).toBe(expectedSize);
      expectSameBytes(await read(reader), bytes);
    });

    it.each([999, 1001])("gives no wrong byte when it is not %s", async (expectedSize) => {
      const bytes = seededBytes(22, 1000);
      const digest = await test.service().put([bytes]);
      const read = async (): Promise<Uint8Array> => {
        const reader = await test.service().openRead(digest, { expectedSize });
        if (reader === undefined) expect.fail("A blob that was stored is not there");
        return concatBytes(await collect(reader.stream()));
      };
      // A service that knows better gives the blob; one of several stores may miss an answer of another one.
      const outcome = await read().catch((error: unknown) => error);
      if (outcome instanceof Uint8Array) expectSameBytes(outcome, bytes);
      else expect(outcome).toMatchObject({ code: expect.stringMatching(/CORRUPT|UNAVAILABLE/) });
    });
  });

  describe("hasMany()", () => {
    it("answers in the order of the digests, each as often as it is asked for", async () => {
      const [a, b] = await test.service().putMany([seededBytes(4, 10), seededBytes(5, 300_000)]);
      const digests = [nowhere, a, b, a, nowhere, b] as B3Digest[];
      const expected = [false, true, true, true, false, true];
      expect(await test.service().hasMany(digests)).toEqual(expected);
      expect(await test.service().hasMany([])).toEqual([]);
    });
  });

  describe("openBlobs()", () => {
    it.each([0, 1000, 400_000, MULTI_CHUNK_BYTES])(
      "gives blobs of up to %s bytes, others as readers, each in its place",
      async (inlineBytes) => {
        const blobs = [0, 1, 1000, 1001, 130_000, 300_000].map((size) => seededBytes(10, size));
        const digests = await test.service().putMany([...blobs, multiChunk]);
        const wanted = [...digests, nowhere, ...digests.slice(2)];
        const opened = await openBlobs(test.service(), wanted, { inlineBytes });
        expect(opened).toHaveLength(wanted.length);
        expect(opened[digests.length]).toBeUndefined();
        for (const [i, blob] of opened.entries()) {
          const expected = [...blobs, multiChunk][i <= 7 ? i : i - 6];
          if (blob === undefined || expected === undefined) continue;
          const isInline = blob instanceof Uint8Array;
          if (isInline) expect(blob.byteLength).toBeLessThanOrEqual(inlineBytes);
          const bytes = isInline ? blob : concatBytes(await collect(blob.stream()));
          expectSameBytes(bytes, expected);
          bytes.fill(0xee);
        }
        expect(await openBlobs(test.service(), [], { inlineBytes })).toEqual([]);
      },
    );

    it("ends with the reason of its signal", async () => {
      const [digest] = await test.service().putMany([seededBytes(4, 10)]);
      const reason = new Error("enough");
      const call = openBlobs(test.service(), [digest as B3Digest], {
        inlineBytes: 100,
        signal: AbortSignal.abort(reason),
      });
      await expect(call).rejects.toBe(reason);
    });
  });

  describe("fillMany()", () => {
    it.each([1, 30])(
      "writes content to its places and names the others, %s times",
      async (times) => {
        const service = test.service();
        const sizes = [0, 1, 1000, 1001, 40_000, 130_000, 300_000, 900_000];
        const blobs = Array.from({ length: times }, (_, i) =>
          sizes.map((size) => seededBytes(20 + i, size)),
        ).flat();
        const digests = await service.putMany(blobs);
        // Backwards and with gaps, which must stay as they are.
        let end = 0;
        const places = digests.toReversed().map((digest, i) => {
          const { byteLength: length } = blobs.at(-1 - i) as Uint8Array;
          const offset = end + (i % 3);
          end = offset + length;
          return { digest, offset, length };
        });
        const [first] = digests;
        const wrong = [
          { digest: nowhere, offset: end, length: 77 },
          { digest: digests[2] as B3Digest, offset: end + 77, length: 999 },
          { digest: digests[7] as B3Digest, offset: end + 77 + 999, length: 899_999 },
          { digest: first as B3Digest, offset: end, length: 1 },
        ];
        const memory = new SharedArrayBuffer(end + 1_000_000);
        const missed = await service.fillMany?.([...places, ...wrong], memory, {
          expectedBytes: end * times,
        });
        if (missed === undefined) return;
        for (const i of wrong.keys()) expect(missed).toContain(places.length + i);
        const bytes = new Uint8Array(memory);
        for (const [i, { offset, length }] of places.entries()) {
          if (i % 3 === 2) expect([bytes[offset - 1], bytes[offset - 2]]).toEqual([0, 0]);
          if (missed.includes(i)) continue;
          expectSameBytes(bytes.subarray(offset, offset + length), blobs.at(-1 - i) as Uint8Array);
        }
        // What is short is what it is for.
        expect(missed.filter((i) => places[i]?.length === 1000)).toEqual([]);
      },
    );
  });

  describe("readNow()", () => {
    it("gives content that belongs to the caller, and nothing for what is not there", async () => {
      const service = test.service();
      const sizes = [0, 1, 1000, 40_000, 300_000, 900_000];
      const blobs = sizes.map((size) => seededBytes(60 + (size % 7), size));
      const digests = await service.putMany(blobs);
      for (const [i, digest] of digests.entries()) {
        const blob = blobs[i] as Uint8Array;
        const content = service.readNow?.(digest, blob.byteLength);
        if (content === undefined) continue;
        expectSameBytes(content, blob);
        content.fill(0);
        expectSameBytes(service.readNow?.(digest, blob.byteLength) ?? blob, blob);
      }
      for (const [digest, length] of [
        [nowhere, 77],
        [digests[2], 999],
        [digests[2], 1001],
        [digests[5], 899_999],
        [digests[0], 1],
      ] as const) {
        expect(service.readNow?.(digest as B3Digest, length)).toBeUndefined();
      }
    });
  });

  describe("openRead()", () => {
    it.each([0, 1, 1000, 262_144, MULTI_CHUNK_BYTES])("knows a size of %s", async (size) => {
      expect((await open(seededBytes(6, size))).size).toBe(size);
    });

    it("gives what a consumer may write to without a trace", async () => {
      for (const bytes of [seededBytes(7, 1000), multiChunk]) {
        const reader = await open(bytes);
        for await (const chunk of reader.stream()) chunk.fill(0);
        expectSameBytes(concatBytes(await collect(reader.stream())), bytes);
      }
    });

    it("gives streams that do not disturb each other", async () => {
      const reader = await open(multiChunk);
      const offsets = [0, 1, 1_000_000, 262_143, MULTI_CHUNK_BYTES - 10];
      const parts = await Promise.all(
        offsets.map((offset) => collect(reader.stream({ offset, length: 2_000_000 }))),
      );
      for (const [i, offset] of offsets.entries()) {
        const expected = multiChunk.subarray(offset, offset + 2_000_000);
        expectSameBytes(concatBytes(parts[i] as Uint8Array[]), expected);
      }
    });

    it("allows a stream to be left early", async () => {
      const reader = await open(multiChunk);
      for (let round = 0; round < 3; round++) {
        for await (const chunk of reader.stream()) {
          expectSameBytes(chunk, multiChunk.subarray(0, chunk.byteLength));
          break;
        }
      }
      expectSameBytes(concatBytes(await collect(reader.stream())), multiChunk);
    });
  });

  describe("stream() of a range", () => {
    /** Offsets around every place where an implementation may cut. */
    async function borders(digest: B3Digest, size: number): Promise<number[]> {
      const cuts = [0, size];
      let end = 0;
      for (const chunk of (await test.service().chunks(digest)) ?? []) {
        end += chunk.size;
        cuts.push(end);
      }
      const around = cuts.flatMap((cut) => [cut - 1, cut, cut + 1]);
      return [...new Set(around)].filter((offset) => offset >= 0 && offset <= size);
    }

    it.each([0, 1, 2, 1000])("is right at all borders of %s bytes", async (size) => {
      const bytes = seededBytes(8, size);
      const digest = await test.service().put([bytes]);
      for (const offset of await borders(digest, size)) {
        for (const length of [undefined, 0, 1, 2, size, size + 1, Number.MAX_SAFE_INTEGER]) {
          const range = length === undefined ? { offset } : { offset, length };
          const expected = bytes.subarray(offset, offset + (length ?? size));
          expectSameBytes(await readAll(test.service(), digest, range), expected);
        }
      }
    });

    it("is right at all borders of chunks", async () => {
      const digest = await test.service().put([multiChunk]);
      const reader = (await test.service().openRead(digest)) as BlobReader;
      const offsets = await borders(digest, multiChunk.byteLength);
      for (const offset of offsets) {
        for (const length of [0, 1, 2, 600_000]) {
          const actual = concatBytes(await collect(reader.stream({ offset, length })));
          expectSameBytes(actual, multiChunk.subarray(offset, offset + length));
        }
      }
      const last = { offset: multiChunk.byteLength - 1 };
      expectSameBytes(await readAll(test.service(), digest, last), multiChunk.subarray(-1));
    });

    it("is right anywhere", async () => {
      const reader = await open(multiChunk);
      const random = new SeededRandom(9);
      for (let i = 0; i < 40; i++) {
        const offset = random.below(multiChunk.byteLength + 1);
        const length = random.below(i % 2 === 0 ? 100 : 1_500_000);
        const actual = concatBytes(await collect(reader.stream({ offset, length })));
        expectSameBytes(actual, multiChunk.subarray(offset, offset + length));
      }
    });

    it("may leave out either end", async () => {
      const bytes = seededBytes(10, 1000);
      const reader = await open(bytes);
      expectSameBytes(concatBytes(await collect(reader.stream({}))), bytes);
      const head = concatBytes(await collect(reader.stream({ length: 10 })));
      expectSameBytes(head, bytes.subarray(0, 10));
      const tail = concatBytes(await collect(reader.stream({ offset: 990 })));
      expectSameBytes(tail, bytes.subarray(990));
    });

    const invalid: readonly ByteRange[] = [
      { offset: 1001 },
      { offset: 1001, length: 0 },
      { offset: Number.MAX_SAFE_INTEGER },
      { offset: -1 },
      { offset: 0.5 },
      { offset: Number.NaN },
      { length: -1 },
      { length: 1.5 },
    ];
    it.each(invalid)("refuses %o of 1000 bytes", async (range) => {
      const reader = await open(seededBytes(11, 1000));
      const read = async (): Promise<unknown> => collect(reader.stream(range));
      await expect(read()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });
  });

  describe("a call that is aborted", () => {
    const reason = new Error("the user pressed a key");
    const options = { signal: AbortSignal.abort(reason) };

    it("rejects with the reason when it was before it began", async () => {
      const digest = await test.service().put([multiChunk]);
      const reader = (await test.service().openRead(digest)) as BlobReader;
      const read = async (): Promise<unknown> => collect(reader.stream({}, options));
      await expect(test.service().has(digest, options)).rejects.toBe(reason);
      await expect(test.service().hasMany([digest], options)).rejects.toBe(reason);
      await expect(test.service().openRead(digest, options)).rejects.toBe(reason);
      await expect(test.service().chunks(digest, options)).rejects.toBe(reason);
      await expect(read()).rejects.toBe(reason);
    });

    it("ends a stream in the middle", async () => {
      const reader = await open(multiChunk);
      const controller = new AbortController();
      let length = 0;
      const read = async (): Promise<void> => {
        for await (const chunk of reader.stream({}, { signal: controller.signal })) {
          length += chunk.byteLength;
          controller.abort(reason);
        }
      };
      await expect(read()).rejects.toBe(reason);
      expect(length).toBeLessThan(multiChunk.byteLength);
      expectSameBytes(concatBytes(await collect(reader.stream())), multiChunk);
    });
  });

  describe("chunks()", () => {
    it.each([0, 1, 1000])("tells nothing finer of %s bytes", async (size) => {
      const digest = await test.service().put([seededBytes(12, size)]);
      expect(await test.service().chunks(digest)).toEqual([]);
    });

    it("tells pieces that make up the blob and are blobs themselves", async () => {
      const digest = await test.service().put([multiChunk]);
      const chunks = await test.service().chunks(digest);
      if (chunks === undefined) expect.fail("A blob that was stored is not there");
      expect(chunks.length > 1).toBe(test.options.chunking === true);
      let offset = 0;
      for (const { digest: piece, size } of chunks) {
        const expected = multiChunk.subarray(offset, offset + size);
        expect(await test.service().has(piece)).toBe(true);
        expectSameBytes(await readAll(test.service(), piece), expected);
        offset += size;
      }
      if (chunks.length > 0) expect(offset).toBe(multiChunk.byteLength);
      expect(chunks).not.toHaveLength(1);
    });
  });
}
