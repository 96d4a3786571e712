import { equalBytes, escapeBytes } from "@tvix/castore";
import { NAR_LENGTH_BYTES, narPadding } from "./wire.js";

/** Longest string that a message shows. */
const MAX_SHOWN_LENGTH = 32;

/** What was found where strings of the grammar should be. */
export interface NarMismatch {
  readonly reason: "token" | "padding";
  readonly detail: string;
  /** Where it differs, from the start of the expected strings. */
  readonly index: number;
}

/**
 * Says how the bytes at `at` differ from `run`, strings that always come together: of which string,
 * and what is there instead. To be asked when they do differ.
 */
export function describeMismatch(bytes: Uint8Array, at: number, run: Uint8Array): NarMismatch {
  let index = 0;
  while (index < run.byteLength) {
    const text = stringAt(run, index);
    const end = index + NAR_LENGTH_BYTES + text.byteLength;
    if (!equalBytes(bytes.subarray(at + index, at + end), run.subarray(index, end))) {
      const detail = `expected "${escapeBytes(text)}", got ${describeString(bytes, at + index)}`;
      return { reason: "token", detail, index };
    }
    const next = end + narPadding(text.byteLength);
    if (!equalBytes(bytes.subarray(at + end, at + next), run.subarray(end, next))) break;
    index = next;
  }
  return { reason: "padding", detail: "the padding of a string is not zero", index };
}

/** Whether `bytes` are the beginning of `whole`. */
export function startsWith(whole: Uint8Array, bytes: Uint8Array): boolean {
  return equalBytes(whole.subarray(0, bytes.byteLength), bytes);
}

function stringAt(run: Uint8Array, index: number): Uint8Array {
  const start = index + NAR_LENGTH_BYTES;
  return run.subarray(start, start + (run[index] as number));
}

function describeString(bytes: Uint8Array, at: number): string {
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, NAR_LENGTH_BYTES).getBigUint64(
    0,
    true,
  );
  const start = at + NAR_LENGTH_BYTES;
  if (length > MAX_SHOWN_LENGTH || start + Number(length) > bytes.byteLength) {
    return `a string of ${length} bytes`;
  }
  return `"${escapeBytes(bytes.subarray(start, start + Number(length)))}"`;
}
