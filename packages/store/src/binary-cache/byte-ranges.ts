/**
 * The `Range` header (RFC 9110 §14).
 *
 *     Range = "bytes=" spec *("," spec)
 *     spec  = first "-" [last] | "-" suffix-length
 *
 * What is not of this form is ignored, as the RFC has it, and the whole is sent. So is what adds up to
 * more than the whole: it would cost more.
 */

/** Bytes from `start` up to, not including, `end`. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** Most ranges of one request. */
export const MAX_RANGES = 64;

/** What to send: everything, these parts in this order (at least one), or nothing that there is. */
export type RangeChoice = "whole" | "unsatisfiable" | readonly ByteSpan[];

/** Longest header that is looked at: {@link MAX_RANGES} of two numbers of 16 digits. */
const MAX_HEADER_LENGTH = 4096;

/** @param size - of the whole, in bytes */
export function chooseRanges(header: string | undefined, size: number): RangeChoice {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return "whole";
  const [, list] = /^bytes=(.*)$/is.exec(header.trim()) ?? [];
  if (list === undefined) return "whole";
  // Empty elements of a list are allowed and mean nothing.
  const specs = list.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
  if (specs.length === 0 || specs.length > MAX_RANGES) return "whole";
  const spans: ByteSpan[] = [];
  let total = 0;
  for (const spec of specs) {
    const span = parseSpec(spec, size);
    if (span === undefined) return "whole";
    if (span.start >= span.end) continue;
    total += span.end - span.start;
    spans.push(span);
  }
  if (spans.length === 0) return "unsatisfiable";
  return spans.length > 1 && total > size ? "whole" : spans;
}

/** `undefined` for what is not a range; empty for one that lies behind the end. */
function parseSpec(spec: string, size: number): ByteSpan | undefined {
  const [, first = "", last = ""] = /^(\d*)-(\d*)$/.exec(spec) ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") return { start: Math.max(0, size - Number(last)), end: size };
  const start = Number(first);
  if (last === "") return { start, end: size };
  // Beyond 2^53 numbers are not exact, but then both lie behind any end.
  if (Number(last) < start) return undefined;
  return { start, end: Math.min(size, Number(last) + 1) };
}
