import { describe, expect, it } from "vitest";
import type { ChunkMeta } from "../blobservice/blob-service.js";
import {
  type BlobChunk,
  type BlobChunks,
  type ChunkedBlobUpload,
  canPutChunked,
} from "../blobservice/chunked-blob-upload.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { BlobServiceUnderTest } from "./blob-service-suite.js";
import { expectAbsent, expectSameBytes, readAll } from "./expectations.js";
import { seededBytes } from "./seeded-random.js";

const LENGTHS = [1, 1000, 130_000, 0x40000, 7];

/** Chunks in runs of two, each with an array of its own that is overwritten when it was used. */
async function* inRuns(digest: B3Digest, chunks: readonly BlobChunk[]): BlobChunks {
  yield [];
  for (let start = 0; start < chunks.length; start += 2) {
    const run = chunks
      .slice(start, start + 2)
      .map((chunk) => (chunk instanceof Uint8Array ? chunk.slice() : chunk));
    yield run;
    for (const chunk of run) if (chunk instanceof Uint8Array) chunk.fill(0);
  }
  return digest;
}

/**
 * What {@link ChunkedBlobUpload} promises; skipped for services that do not implement it.
 *
 * @internal
 */
export function blobChunkedTests(test: BlobServiceUnderTest): void {
  const pieces = LENGTHS.map((length, i) => seededBytes(70 + i, length));
  const blob = concatBytes(pieces);
  const digest = blake3(blob);

  function upload(): ChunkedBlobUpload | undefined {
    const service = test.service();
    return canPutChunked(service) ? service : undefined;
  }

  async function stored(): Promise<ChunkMeta[]> {
    const digests = await test.service().putMany(pieces);
    return digests.map((piece, i) => ({ digest: piece, size: LENGTHS[i] as number }));
  }

  describe("putChunked()", () => {
    it("makes a blob of chunks that are stored", async ({ skip }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const chunks = await stored();
      await service.putChunked(inRuns(digest, chunks));
      expectSameBytes(await readAll(test.service(), digest), blob);
      const part = { offset: 500, length: 200_000 };
      expectSameBytes(await readAll(test.service(), digest, part), blob.subarray(500, 200_500));
      await service.putChunked(inRuns(digest, chunks));
      expectSameBytes(await readAll(test.service(), digest), blob);
    });

    it("makes a blob of one chunk, of none, and of blobs that have chunks themselves", async ({
      skip,
    }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const large = seededBytes(80, 1_500_000);
      const inner = { digest: await test.service().put([large]), size: large.byteLength };
      const small = (await stored())[1] as ChunkMeta;
      await service.putChunked(inRuns(small.digest, [small]));
      await service.putChunked(inRuns(blake3(new Uint8Array(0)), []));
      const joined = concatBytes([large, pieces[1] as Uint8Array]);
      await service.putChunked(inRuns(blake3(joined), [inner, small]));
      expectSameBytes(await readAll(test.service(), blake3(joined)), joined);
      expect(await test.service().has(blake3(new Uint8Array(0)))).toBe(true);
    });

    it.for([
      ["all of them", [0, 1, 2, 3, 4]],
      ["the first", [0]],
      ["some in the middle", [1, 3]],
      ["the last", [4]],
    ] as const)("takes chunks as bytes: %s", async ([, sent], { skip }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const isSent = (i: number) => sent.some((one) => one === i);
      await test.service().putMany(pieces.filter((_, i) => !isSent(i)));
      const chunks = pieces.map((bytes, i) =>
        isSent(i) ? bytes : { digest: blake3(bytes), size: bytes.byteLength },
      );
      await service.putChunked(inRuns(digest, chunks));
      expectSameBytes(await readAll(test.service(), digest), blob);
    });

    it("takes chunks that came as bytes before, in the same blob and in another", async ({
      skip,
    }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const bytes = pieces[2] as Uint8Array;
      const chunk = { digest: blake3(bytes), size: bytes.byteLength };
      const twice = concatBytes([bytes, bytes, bytes]);
      await service.putChunked(inRuns(blake3(twice), [bytes, chunk, chunk]));
      expectSameBytes(await readAll(test.service(), blake3(twice)), twice);
      const other = concatBytes([Uint8Array.of(1), bytes]);
      await service.putChunked(inRuns(blake3(other), [Uint8Array.of(1), chunk]));
      expectSameBytes(await readAll(test.service(), blake3(other)), other);
    });

    it("takes a blob that is one chunk, as bytes", async ({ skip }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      await service.putChunked(inRuns(blake3(pieces[2] as Uint8Array), [pieces[2] as Uint8Array]));
      const read = await readAll(test.service(), blake3(pieces[2] as Uint8Array));
      expectSameBytes(read, pieces[2] as Uint8Array);
    });

    it("takes bytes instead of chunks that are stored", async ({ skip }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      await service.putChunked(inRuns(digest, await stored()));
      await service.putChunked(inRuns(digest, pieces));
      expectSameBytes(await readAll(test.service(), digest), blob);
    });

    const lies: readonly [string, string, (chunks: ChunkMeta[]) => [B3Digest, BlobChunk[]]][] = [
      ["INVALID_ARGUMENT", "another order", (all) => [digest, all.toReversed()]],
      ["INVALID_ARGUMENT", "a chunk too few", (all) => [digest, all.slice(1)]],
      ["INVALID_ARGUMENT", "another blob", (all) => [blake3(Uint8Array.of(1)), all]],
      [
        "INVALID_ARGUMENT",
        "other bytes",
        (all) => [digest, [...all.slice(0, 4), Uint8Array.of(1)]],
      ],
      ["INVALID_ARGUMENT", "only bytes, of another blob", () => [digest, pieces.slice(1)]],
      [
        "INVALID_ARGUMENT",
        "a wrong size",
        (all) => [digest, all.map((chunk) => ({ ...chunk, size: chunk.size + 1 }))],
      ],
      [
        "MISSING_REFERENCE",
        "a chunk that is not stored",
        (all) => [digest, [...all, { digest: blake3(seededBytes(90, 3)), size: 3 }]],
      ],
    ];
    it.for(lies)("refuses with %s: %s", async ([code, , lie], { skip }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const [asked, chunks] = lie(await stored());
      const put = service.putChunked(inRuns(asked, chunks));
      await expect(put).rejects.toMatchObject({ code });
      await expectAbsent(test.service(), asked);
    });

    it("stores nothing when it was aborted before it began", async ({ skip }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const reason = new Error("the user pressed a key");
      const chunks = inRuns(digest, await stored());
      const put = service.putChunked(chunks, { signal: AbortSignal.abort(reason) });
      await expect(put).rejects.toBe(reason);
      await expectAbsent(test.service(), digest);
    });
  });
}
