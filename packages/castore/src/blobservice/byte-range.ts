import { CastoreError } from "../errors.js";
import type { ByteRange } from "./blob-service.js";

/** A range within a blob: bytes `start` up to, not including, `end`. */
export interface ResolvedRange {
  readonly start: number;
  readonly end: number;
}

/**
 * What `range` means for a blob of `size` bytes: without it all of the blob, never more than there
 * is. Starting at the very end is fine and gives nothing.
 *
 * @throws {@link CastoreError} with code "INVALID_ARGUMENT" when it starts past the end, or when its
 *   numbers are not whole or are negative
 */
export function resolveRange(size: number, range: ByteRange = {}): ResolvedRange {
  const { offset = 0, length = size } = range;
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 0) {
    throw new CastoreError("INVALID_ARGUMENT", `Invalid range: offset ${offset}, length ${length}`);
  }
  if (offset > size) {
    throw new CastoreError(
      "INVALID_ARGUMENT",
      `Invalid range: it starts at ${offset}, past the end of a blob of ${size} bytes`,
    );
  }
  return { start: offset, end: offset + Math.min(length, size - offset) };
}
