import { StoreError } from "../errors.js";

/**
 * What is wrong with a listing:
 *
 * - `syntax`: it is not the JSON that a listing is.
 * - `version`: another version of the format.
 * - `unknown-field`, `missing-field`, `duplicate`: an object has other members than it should.
 * - `name`, `target`: one that no entry or symbolic link may have; `cause` says why.
 * - `not-utf8`: a name or target, or the listing itself, is not UTF-8.
 * - `depth`, `too-large`: above a limit.
 */
export type NarListingErrorReason =
  | "syntax"
  | "version"
  | "unknown-field"
  | "missing-field"
  | "duplicate"
  | "name"
  | "target"
  | "not-utf8"
  | "depth"
  | "too-large";

/** A listing that breaks a rule of its format, or a tree that cannot have one. */
export class NarListingError extends StoreError {
  override readonly name: string = "NarListingError";
  readonly reason: NarListingErrorReason;

  constructor(reason: NarListingErrorReason, message: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", message, options);
    this.reason = reason;
  }
}
