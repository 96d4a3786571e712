import { StoreError } from "../errors.js";

/**
 * Which rule of the format, or which limit, a NAR breaks:
 *
 * - `magic`: it does not start like one.
 * - `token`: another string than the grammar allows there.
 * - `padding`: what follows a string is not zero.
 * - `unexpected-end`: it was cut off.
 * - `trailing-data`: more comes after its end.
 * - `name`: a name that no entry may have; `cause` says why, unless it is too long.
 * - `order`, `duplicate`: names are not strictly ascending, byte by byte.
 * - `target`: a target that no symbolic link may have.
 * - `depth`, `too-many-entries`, `file-too-large`, `nar-too-large`: above a limit.
 */
export type NarFormatErrorReason =
  | "magic"
  | "token"
  | "padding"
  | "unexpected-end"
  | "trailing-data"
  | "name"
  | "order"
  | "duplicate"
  | "target"
  | "depth"
  | "too-many-entries"
  | "file-too-large"
  | "nar-too-large";

/** Bytes that are not a NAR, or one that is above a limit. */
export class NarFormatError extends StoreError {
  override readonly name: string = "NarFormatError";
  readonly reason: NarFormatErrorReason;
  /** Where in the NAR the string begins that is wrong, or where the NAR ends, in bytes. */
  readonly offset: number;

  constructor(
    reason: NarFormatErrorReason,
    offset: number,
    detail: string,
    options?: ErrorOptions,
  ) {
    const hint = HINTS[reason];
    const what = hint === undefined ? detail : `${detail} (${hint})`;
    super("INVALID_ARGUMENT", `Cannot read NAR: ${what}, at byte ${offset}`, options);
    this.reason = reason;
    this.offset = offset;
  }
}

/** What to do, where that is not plain. */
const HINTS: Partial<Record<NarFormatErrorReason, string>> = {
  magic: "decompress it first if it is compressed",
  "unexpected-end": "it was cut off: get it again",
  "trailing-data": "end the upload where the archive ends",
  depth: "Nix does not read it either; maxDepth raises the limit",
  "nar-too-large": "check the size that was announced",
};
