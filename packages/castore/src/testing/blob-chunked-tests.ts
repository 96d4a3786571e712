import { describe, expect, it } from "vitest";
import type { ChunkMeta } from "../blobservice/blob-service.js";
import { type ChunkedBlobUpload, canPutChunked } from "../blobservice/chunked-blob-upload.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { BlobServiceUnderTest } from "./blob-service-suite.js";
import { expectAbsent, expectSameBytes, readAll } from "./expectations.js";
import { seededBytes } from "./seeded-random.js";

const LENGTHS = [1, 1000, 130_000, 0x40000, 7];

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
      await service.putChunked(digest, chunks);
      expectSameBytes(await readAll(test.service(), digest), blob);
      const part = { offset: 500, length: 200_000 };
      expectSameBytes(await readAll(test.service(), digest, part), blob.subarray(500, 200_500));
      await service.putChunked(digest, chunks);
      expectSameBytes(await readAll(test.service(), digest), blob);
    });

    it("makes a blob of one chunk, of none, and of blobs that have chunks themselves", async ({
      skip,
    }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const large = seededBytes(80, 1_500_000);
      const inner = { digest: await test.service().put([large]), size: large.byteLength };
      const small = (await stored())[1] as ChunkMeta;
      await service.putChunked(small.digest, [small]);
      await service.putChunked(blake3(new Uint8Array(0)), []);
      const joined = concatBytes([large, pieces[1] as Uint8Array]);
      await service.putChunked(blake3(joined), [inner, small]);
      expectSameBytes(await readAll(test.service(), blake3(joined)), joined);
      expect(await test.service().has(blake3(new Uint8Array(0)))).toBe(true);
    });

    const lies: readonly [string, string, (chunks: ChunkMeta[]) => [B3Digest, ChunkMeta[]]][] = [
      ["INVALID_ARGUMENT", "another order", (all) => [digest, all.toReversed()]],
      ["INVALID_ARGUMENT", "a chunk too few", (all) => [digest, all.slice(1)]],
      ["INVALID_ARGUMENT", "another blob", (all) => [blake3(Uint8Array.of(1)), all]],
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
      await expect(service.putChunked(asked, chunks)).rejects.toMatchObject({ code });
      await expectAbsent(test.service(), asked);
    });

    it("stores nothing when it was aborted before it began", async ({ skip }) => {
      const service = upload() ?? skip("this service cannot be given chunks");
      const reason = new Error("the user pressed a key");
      const put = service.putChunked(digest, await stored(), { signal: AbortSignal.abort(reason) });
      await expect(put).rejects.toBe(reason);
      await expectAbsent(test.service(), digest);
    });
  });
}
