import { describe, expect, it } from "vitest";
import type { BlobReader, BlobService, ByteRange } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import { concatBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { ChunkingBlobService } from "../testing/chunking-blob-service.js";
import { expectSameBytes } from "../testing/expectations.js";
import { type Fault, Faults, FaultyBlobService } from "../testing/faulty-services.js";
import { SeededRandom, seededBytes } from "../testing/seeded-random.js";
import { collect } from "../testing/sources.js";
import { VerifiedBlobService } from "./verified-blob-service.js";

const SMALL = seededBytes(1, 700_000);
const LARGE = seededBytes(2, 5_000_000);

blobServiceSuite("verified, with trees", async () => ({
  service: new VerifiedBlobService(new MemoryBlobService()),
}));

blobServiceSuite("verified", async () => ({
  service: new VerifiedBlobService(new ChunkingBlobService(65_536)),
}));

async function foreign() {
  const inner = new MemoryBlobService();
  await inner.putMany([SMALL, LARGE, new Uint8Array(0)]);
  const faults = new Faults();
  return { faults, service: new VerifiedBlobService(new FaultyBlobService(inner, faults)) };
}

async function opened(service: BlobService, bytes: Uint8Array): Promise<BlobReader> {
  return (await service.openRead(blake3(bytes))) ?? expect.fail("The blob is not there");
}

/** A service that answers with `answers` instead of what it knows. */
function lying(answers: Partial<BlobService>): VerifiedBlobService {
  return new VerifiedBlobService(Object.assign(new MemoryBlobService(), answers));
}

/** A service with one blob of `size` that is `pieces`. */
function lyingReader(size: number, pieces: () => Iterable<Uint8Array>): VerifiedBlobService {
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield* pieces();
  }
  return lying({ openRead: async () => ({ size, stream }) });
}

function* endless(piece: Uint8Array): Generator<Uint8Array> {
  for (;;) yield piece;
}

describe("VerifiedBlobService", () => {
  it.each<Fault>(["wrong-bytes", "truncated"])(
    "gives no byte of a small blob: %s",
    async (fault) => {
      const { faults, service } = await foreign();
      faults.setAll(fault);
      const reader = await opened(service, SMALL);
      const given: Uint8Array[] = [];
      const read = async (): Promise<void> => {
        for await (const bytes of reader.stream({ offset: 5, length: 10 })) given.push(bytes);
      };
      await expect(read()).rejects.toMatchObject({ code: "CORRUPT" });
      expect(given).toEqual([]);
    },
  );

  it.each<Fault>(["wrong-bytes", "truncated"])(
    "fails before the end of a large blob: %s",
    async (fault) => {
      const { faults, service } = await foreign();
      faults.setAll(fault);
      const reader = await opened(service, LARGE);
      for (const range of [{}, { offset: 4_999_990 }, { offset: 0, length: 10 }]) {
        await expect(collect(reader.stream(range))).rejects.toMatchObject({ code: "CORRUPT" });
      }
    },
  );

  it("gives the right bytes or none of small blobs, whatever happens", async () => {
    const { faults, service } = await foreign();
    const random = new SeededRandom(3);
    faults.setSome(random, 4, ["failing", "failing-late", "truncated", "wrong-bytes"]);
    let right = 0;
    for (let round = 0; round < 300; round++) {
      const offset = random.below(SMALL.byteLength);
      const range = { offset, length: random.below(100_000) };
      try {
        const reader = await opened(service, SMALL);
        const bytes = concatBytes(await collect(reader.stream(range)));
        expectSameBytes(bytes, SMALL.subarray(offset, offset + range.length));
        right++;
      } catch (error) {
        if (!CastoreError.is(error)) throw error;
      }
    }
    expect(right).toBeGreaterThan(100);
    expect(right).toBeLessThan(300);
  });

  it.each([
    ["more bytes than it says", lyingReader(10, () => endless(Uint8Array.of(1)))],
    ["no bytes, endlessly", lyingReader(10, () => endless(new Uint8Array(0)))],
    ["bytes of an empty blob", lyingReader(0, () => [Uint8Array.of(1)])],
    ["no bytes of a blob that is not empty", lyingReader(0, () => [])],
    ["more bytes after a large blob", lyingReader(LARGE.byteLength - 1, () => [LARGE])],
  ])("refuses %s", async (_label, service) => {
    const reader = await opened(service, SMALL);
    await expect(collect(reader.stream())).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 60])("refuses a length of %s", async (size) => {
    const service = lyingReader(size, () => []);
    await expect(service.openRead(blake3(SMALL))).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("refuses answers that are not those to its questions", async () => {
    const other = blake3(Uint8Array.of(9));
    const service = lying({
      hasMany: async () => [true],
      put: async (source) => {
        for await (const _ of source) break;
        return blake3(SMALL.subarray(0, 10));
      },
      putMany: async () => [other],
    });
    const corrupt = { code: "CORRUPT" };
    await expect(service.hasMany([other, other])).rejects.toMatchObject(corrupt);
    const taken = [SMALL.subarray(0, 10), SMALL];
    await expect(service.put(taken)).rejects.toMatchObject(corrupt);
    await expect(service.putMany([SMALL])).rejects.toMatchObject(corrupt);
    await expect(service.putMany([SMALL, SMALL])).rejects.toMatchObject(corrupt);
    const liar = lying({
      put: async (source) => {
        await collect(source as AsyncIterable<Uint8Array>);
        return other;
      },
    });
    await expect(liar.put([SMALL])).rejects.toMatchObject(corrupt);
  });

  describe("a part of a large blob", () => {
    const range = { offset: 3_000_000, length: 100 };

    /** A service that reads LARGE from `bytes`, with the right tree, and what it was asked for. */
    async function withTree(bytes: Uint8Array) {
      const right = new MemoryBlobService();
      await right.put([LARGE]);
      const asked: ByteRange[] = [];
      const reader: BlobReader = {
        size: LARGE.byteLength,
        async *stream(part = {}) {
          asked.push(part);
          const { offset = 0, length = LARGE.byteLength } = part;
          yield bytes.subarray(offset, offset + length);
        },
      };
      const openRead = async () => reader;
      const tree: BlobService["tree"] = (digest, options) => right.tree(digest, options);
      return { asked, service: lying({ openRead, tree }) };
    }

    it("is proved without the rest", async () => {
      const { asked, service } = await withTree(LARGE);
      const reader = await opened(service, LARGE);
      const bytes = concatBytes(await collect(reader.stream(range)));
      expectSameBytes(bytes, LARGE.subarray(range.offset, range.offset + range.length));
      expect(asked).toHaveLength(1);
      expect(asked[0]?.length).toBeLessThanOrEqual(2 * 16 * 1024);
    });

    it("is refused when a byte next to it is wrong", async () => {
      const wrong = Uint8Array.from(LARGE);
      wrong[range.offset - 1] = (wrong[range.offset - 1] as number) ^ 1;
      const { service } = await withTree(wrong);
      const given: Uint8Array[] = [];
      const read = async (): Promise<void> => {
        const reader = await opened(service, LARGE);
        for await (const bytes of reader.stream(range)) given.push(bytes);
      };
      await expect(read()).rejects.toMatchObject({ code: "CORRUPT" });
      expect(given).toEqual([]);
    });

    it("is refused when nothing comes, endlessly", async () => {
      const { service } = await withTree(LARGE);
      const inner = lyingReader(LARGE.byteLength, () => endless(new Uint8Array(0)));
      const tree = service.tree ?? expect.fail("no trees");
      const reader = await opened(
        lying({ openRead: (digest) => inner.openRead(digest), tree }),
        LARGE,
      );
      await expect(collect(reader.stream(range))).rejects.toMatchObject({ code: "CORRUPT" });
    });
  });

  it("tells nothing of how foreign blobs are cut", async () => {
    const inner = new ChunkingBlobService(65_536);
    const digest = await inner.put([SMALL]);
    expect((await inner.chunks(digest))?.length).toBeGreaterThan(1);
    expect(await new VerifiedBlobService(inner).chunks(digest)).toEqual([]);
  });
});
