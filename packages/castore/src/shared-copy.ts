/** How much is copied by way of {@link between} at a time: little enough to stay in the cache of a core. */
const STEP_BYTES = 64 * 1024;

/** V8 copies words of this many bytes. */
const WORD_BYTES = 8;

/** Below this many bytes the way does not matter. */
const MIN_STEPPED_BYTES = 256;

/** Memory of this thread alone, in which bytes are moved to where they lie alike. */
const between = new Uint8Array(STEP_BYTES + WORD_BYTES);

/**
 * `target.set(source, offset)`, fast also where shared memory is involved. V8 copies that word by word if both
 * ends lie alike in their words, and else byte by byte, which takes eight times as long: such copies are made
 * in steps, by way of memory that is not shared.
 *
 * The two must not overlap.
 */
export function copyInto(target: Uint8Array, offset: number, source: Uint8Array): void {
  const isAlike = phase(target.byteOffset + offset) === phase(source.byteOffset);
  const isShort = source.byteLength < MIN_STEPPED_BYTES;
  if (isAlike || isShort || !(isShared(source) || isShared(target))) {
    target.set(source, offset);
    return;
  }
  for (let at = 0; at < source.byteLength; at += STEP_BYTES) {
    copyStep(target, offset + at, source.subarray(at, at + STEP_BYTES));
  }
}

function copyStep(target: Uint8Array, offset: number, part: Uint8Array): void {
  const wanted = phase(target.byteOffset + offset);
  const given = isShared(part) ? phase(part.byteOffset) : wanted;
  between.set(part, given);
  const arranged = isShared(target) ? wanted : given;
  if (arranged !== given) between.copyWithin(arranged, given, given + part.byteLength);
  target.set(between.subarray(arranged, arranged + part.byteLength), offset);
}

function phase(address: number): number {
  return address % WORD_BYTES;
}

function isShared({ buffer }: Uint8Array): boolean {
  // Pages that are not isolated have no such class.
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}
