import { describe, expect, it } from "vitest";
import { outboardBytes, type TreeParents } from "../bao/outboard.js";
import { SliceDecoder } from "../bao/slice-decoder.js";
import { treeOf } from "../bao/tree-builder.js";
import type { BlobReader, BlobService, ByteRange } from "../blobservice/blob-service.js";
import { outboardOf, sliceOf, sliceRange } from "../blobservice/blob-slice.js";
import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import type { BlobServiceUnderTest } from "./blob-service-suite.js";
import { expectSameBytes } from "./expectations.js";
import { seededBytes } from "./seeded-random.js";

const KIB = 1024;

/** Longer than a page of a tree. */
const LONG_BYTES = 4800 * KIB + 100;

/** A service that proves parts of blobs. */
type ProvingService = Required<Pick<BlobService, "tree" | "openRead">>;

/** A blob and its tree. */
async function open(
  service: ProvingService,
  digest: B3Digest,
): Promise<{ readonly tree: TreeParents; readonly reader: BlobReader }> {
  const [tree, reader] = [await service.tree(digest), await service.openRead(digest)];
  if (tree === undefined || reader === undefined) expect.fail(`Blob ${digest} is not stored`);
  return { tree, reader };
}

/** What a slice proves, and how long it is. */
async function readSlice(
  service: ProvingService,
  digest: B3Digest,
  range: ByteRange,
): Promise<{ content: Uint8Array; inputLength: number | undefined; sliceLength: number }> {
  const slice = sliceOf(digest, await open(service, digest), range);
  const decoder = new SliceDecoder(digest, sliceRange(range));
  const parts: Uint8Array[] = [];
  let sliceLength = 0;
  for await (const piece of slice) {
    expect(Object.getPrototypeOf(piece)).toBe(Uint8Array.prototype);
    sliceLength += piece.byteLength;
    for (const part of decoder.push(piece)) parts.push(part.slice());
  }
  decoder.finish();
  return { content: concatBytes(parts), inputLength: decoder.inputLength, sliceLength };
}

/**
 * What `tree()` promises; skipped for services that do not have it.
 *
 * @internal
 */
export function blobSliceTests(test: BlobServiceUnderTest): void {
  const long = seededBytes(60, LONG_BYTES);
  const nowhere = blake3(seededBytes(61, 77));

  function proving(skip: (note: string) => never): ProvingService {
    const service = test.service();
    const { tree } = service;
    const isOff = test.options.trees === false;
    if (isOff || tree === undefined) return skip("this service proves no parts");
    return { tree: tree.bind(service), openRead: service.openRead.bind(service) };
  }

  describe("tree() and sliceOf()", () => {
    it.for([
      ["at the start", { length: 10 }],
      ["in the middle", { offset: 1_000_000, length: 70_000 }],
      ["over the end of a page", { offset: 4096 * KIB - 10, length: 20 }],
      ["up to the end", { offset: LONG_BYTES - 200 }],
      ["beyond the end", { offset: LONG_BYTES - 200, length: 10_000 }],
      ["of everything", {}],
    ] as const)("proves a part %s", async ([, range], { skip }) => {
      const service = proving(skip);
      const digest = await test.service().put([long]);
      const { offset = 0, length = LONG_BYTES } = range as ByteRange;
      const { content } = await readSlice(service, digest, range);
      expectSameBytes(content, long.subarray(offset, offset + length));
    });

    it.for([0, 1, 1000, 16 * KIB, 16 * KIB + 1, 300_000])(
      "proves a blob of %i bytes, and its length",
      async (size, { skip }) => {
        const service = proving(skip);
        const blob = seededBytes(62, size);
        const digest = await test.service().put([blob]);
        const { content, inputLength } = await readSlice(service, digest, {});
        expectSameBytes(content, blob);
        expect(inputLength).toBe(size);
      },
    );

    it.for([LONG_BYTES, LONG_BYTES + 5, Number.MAX_SAFE_INTEGER])(
      "proves the length alone, from offset %i",
      async (offset, { skip }) => {
        const service = proving(skip);
        const digest = await test.service().put([long]);
        const { content, inputLength } = await readSlice(service, digest, { offset, length: 5 });
        expect(content.byteLength).toBe(0);
        expect(inputLength).toBe(LONG_BYTES);
      },
    );

    it("is little longer than what it proves", async ({ skip }) => {
      const service = proving(skip);
      const digest = await test.service().put([long]);
      const range = { offset: 3_000_000, length: 4 * KIB };
      expect((await readSlice(service, digest, range)).sliceLength).toBeLessThan(34 * KIB);
    });

    it("is the same from a service that was opened again", async ({ skip }) => {
      const { reopen } = test.harness();
      if (reopen === undefined) return skip("what this service holds ends with it");
      const service = proving(skip);
      const digest = await test.service().put([long]);
      const range = { offset: 4_000_000, length: 100 };
      await readSlice(service, digest, range);
      const again = (await reopen.call(test.harness())) as BlobService & ProvingService;
      const { content } = await readSlice(again, digest, range);
      expectSameBytes(content, long.subarray(4_000_000, 4_000_100));
    });

    it("gives what many ask for at the same time", async ({ skip }) => {
      const service = proving(skip);
      const digest = await test.service().put([long]);
      const offsets = Array.from({ length: 20 }, (_, i) => i * 200_000);
      const all = await Promise.all(
        offsets.map((offset) => readSlice(service, digest, { offset, length: 1000 })),
      );
      for (const [i, { content }] of all.entries()) {
        const offset = i * 200_000;
        expectSameBytes(content, long.subarray(offset, offset + 1000));
      }
    });

    it("is undefined for a blob that is not stored", async ({ skip }) => {
      expect(await proving(skip).tree(nowhere)).toBeUndefined();
    });

    it("refuses ranges that are none", async ({ skip }) => {
      const service = proving(skip);
      const digest = await test.service().put([long]);
      for (const range of [{ offset: -1 }, { length: -1 }, { offset: 0.5 }, { length: 2 ** 60 }]) {
        const read = readSlice(service, digest, range);
        await expect(read).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      }
    });

    it("ends with the reason of its signal", async ({ skip }) => {
      const service = proving(skip);
      const digest = await test.service().put([long]);
      const reason = new Error("enough");
      const call = service.tree(digest, { signal: AbortSignal.abort(reason) });
      await expect(call).rejects.toBe(reason);
    });
  });

  describe("tree() and outboardOf()", () => {
    it.for([0, 16 * KIB, 16 * KIB + 1, 1_000_000, LONG_BYTES])(
      "gives the nodes of the tree over %i bytes",
      async (size, { skip }) => {
        const service = proving(skip);
        const blob = long.subarray(0, size);
        const digest = await test.service().put([blob]);
        const { tree } = await open(service, digest);
        const outboard = await outboardOf(digest, tree, 100_000);
        const expected = await outboardBytes(treeOf(blob), digest);
        if (outboard === undefined) expect.fail("There is no outboard");
        expectSameBytes(outboard, expected);
      },
    );

    it("gives none that is longer than is wanted", async ({ skip }) => {
      const service = proving(skip);
      const digest = await test.service().put([long]);
      const { tree } = await open(service, digest);
      expect(await outboardOf(digest, tree, 10_000)).toBeUndefined();
    });
  });
}
