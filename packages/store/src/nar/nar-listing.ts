/**
 * Listings of NARs, `.ls` in binary caches: JSON that says what is in a NAR, and where.
 *
 *     listing   = {"version":1,"root":node}
 *     node      = {"type":"regular","size":N[,"executable":true],"narOffset":N}
 *               | {"type":"symlink","target":T}
 *               | {"type":"directory","entries":{name:node,...}}
 *
 * Names come in byte order. `narOffset` is where the content begins in the NAR, in bytes. Names and
 * targets are text, so that a tree where one is not UTF-8 has no listing.
 */
import { escapeBytes, type FileNode } from "@tvix/castore";
import type { NarLayout } from "./nar-layout.js";
import { NarListingError } from "./nar-listing-error.js";
import { type Place, pathOf } from "./nar-steps.js";

/** Longest listing by default, in characters: some 600,000 files. */
export const MAX_NAR_LISTING_LENGTH: number = 64 * 1024 * 1024;

export interface FormatNarListingOptions {
  /**
   * Longest listing, in characters; 64 Mi by default. A few Directories that have each other as
   * children many times make a tree of any size.
   */
  readonly maxLength?: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The listing of a NAR, byte for byte as Nix 2.8 writes it.
 *
 * @throws {@link NarListingError} with reason "not-utf8" when a name or target is not text,
 *   "too-large" when the listing would be longer than allowed
 */
export function formatNarListing(layout: NarLayout, options: FormatNarListingOptions = {}): string {
  const { maxLength = MAX_NAR_LISTING_LENGTH } = options;
  const parts = ['{"version":1,"root":'];
  let length = 0;
  let isFirst = true;
  const put = (part: string) => {
    parts.push(part);
    length += part.length;
    if (length <= maxLength) return;
    const what = `it is longer than ${maxLength} characters`;
    throw new NarListingError("too-large", `Cannot list a NAR: ${what}`);
  };
  for (const { step, offset } of layout.steps()) {
    if (step.type === "end") {
      put("}}");
      isFirst = false;
      continue;
    }
    const { place } = step;
    if (place !== undefined) put(`${isFirst ? "" : ","}${quote(place.name.toBytes(), place)}:`);
    isFirst = step.type === "directory";
    if (step.type === "directory") put('{"type":"directory","entries":{');
    else if (step.type === "file") put(formatFile(step.node, offset));
    else put(`{"type":"symlink","target":${quote(step.node.target.toBytes(), place)}}`);
  }
  put("}");
  return parts.join("");
}

function formatFile({ size, executable }: FileNode, narOffset: number): string {
  const mark = executable ? ',"executable":true' : "";
  return `{"type":"regular","size":${size}${mark},"narOffset":${narOffset}}`;
}

/** A string of JSON as Nix writes it, which has no short forms for backspace and form feed. */
function quote(bytes: Uint8Array, place: Place | undefined): string {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    const where = place === undefined ? "at the root" : `at "${pathOf(place)}"`;
    const message = `Cannot list a NAR: "${escapeBytes(bytes)}" is not UTF-8, ${where}`;
    throw new NarListingError("not-utf8", message, { cause });
  }
  return JSON.stringify(text).replace(/\\./g, (written) => LONG_FORMS[written] ?? written);
}

const LONG_FORMS: Readonly<Record<string, string>> = { "\\b": "\\u0008", "\\f": "\\u000c" };
