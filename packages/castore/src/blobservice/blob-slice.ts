import { encodeSlice } from "../bao/encode-slice.js";
import { outboardBytes, type TreeParents } from "../bao/outboard.js";
import { type SliceRange, TreeShape } from "../bao/tree-shape.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { BlobReader, ByteRange, CallOptions } from "./blob-service.js";

/**
 * The range of a slice, which may reach beyond the end of the blob, or begin there.
 *
 * @throws {@link CastoreError} "INVALID_ARGUMENT" for numbers that are not whole or are negative
 */
export function sliceRange({
  offset = 0,
  length = Number.MAX_SAFE_INTEGER,
}: ByteRange): SliceRange {
  if (Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length >= 0) {
    return { offset, length };
  }
  throw new CastoreError("INVALID_ARGUMENT", `Invalid range: offset ${offset}, length ${length}`);
}

/** `BlobService.slice` for a blob whose tree is there. */
export function sliceOf(
  digest: B3Digest,
  blob: { readonly reader: BlobReader; readonly tree: TreeParents },
  range: ByteRange,
  options: CallOptions,
): AsyncIterable<Uint8Array> {
  const read = (start: number, end: number): AsyncIterable<Uint8Array> =>
    blob.reader.stream({ offset: start, length: end - start }, options);
  return encodeSlice(blob.tree, digest, sliceRange(range), read);
}

/** `BlobService.outboard` for a blob whose tree can be had. */
export async function outboardOf(
  digest: B3Digest,
  { length, groupLog }: { readonly length: number; readonly groupLog: number },
  tree: () => Promise<TreeParents>,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if (new TreeShape(length, groupLog).outboardBytes > maxBytes) return undefined;
  return outboardBytes(await tree(), digest);
}
