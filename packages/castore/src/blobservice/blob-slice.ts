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

/**
 * A part of a blob with the proof that it is one: a slice as bao has it, over groups of 16 KiB, which `SliceDecoder`
 * holds against the digest of the blob. A range may begin at the end or past it: then the slice proves the length alone.
 *
 * @throws {@link CastoreError} as reader and tree do, "INVALID_ARGUMENT" for a range that is none, "CORRUPT" when
 *   they are of different lengths
 */
export function sliceOf(
  digest: B3Digest,
  blob: { readonly reader: BlobReader; readonly tree: TreeParents },
  range: ByteRange,
  options: CallOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  if (blob.reader.size !== blob.tree.length) {
    const state = `it has ${blob.reader.size} bytes, and its tree ${blob.tree.length}`;
    throw new CastoreError("CORRUPT", `Cannot prove blob ${digest}: ${state}`);
  }
  const read = (start: number, end: number): AsyncIterable<Uint8Array> =>
    blob.reader.stream({ offset: start, length: end - start }, options);
  return encodeSlice(blob.tree, digest, sliceRange(range), read, options.signal);
}

/**
 * The nodes of a tree as an outboard, with which parts of the blob can be checked that come from anywhere.
 *
 * @returns `undefined` when it would be longer than `maxBytes`
 */
export async function outboardOf(
  digest: B3Digest,
  tree: TreeParents,
  maxBytes: number,
  options: CallOptions = {},
): Promise<Uint8Array | undefined> {
  if (new TreeShape(tree.length, tree.groupLog).outboardBytes > maxBytes) return undefined;
  return outboardBytes(tree, digest, options.signal);
}
