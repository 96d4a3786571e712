import { CastoreError } from "../errors.js";

/**
 * Which rule a stream of Directories breaks:
 *
 * - `empty`: it has none.
 * - `unknown-child`: one refers to a child that has not come before it.
 * - `wrong-size`: one gives a child a size that the child does not have.
 * - `mixed-size-rules`: sizes follow one rule here and the other there.
 * - `multiple-roots`: more than one has no parent in the stream.
 * - `unexpected-directory`: one is neither the root asked for nor a child of one that came before.
 * - `incomplete`: it ended before all children had come.
 * - `closed`: it went on after its end or after an error.
 */
export type InvalidDirectoryClosureReason =
  | "empty"
  | "unknown-child"
  | "wrong-size"
  | "mixed-size-rules"
  | "multiple-roots"
  | "unexpected-directory"
  | "incomplete"
  | "closed";

/**
 * A stream of Directories that is not the closure of one root. The code is "INVALID_ARGUMENT" for
 * one that was to be stored, "CORRUPT" for one that a service answered with.
 */
export class InvalidDirectoryClosureError extends CastoreError {
  override readonly name: string = "InvalidDirectoryClosureError";
  readonly reason: InvalidDirectoryClosureReason;

  constructor(
    code: "INVALID_ARGUMENT" | "CORRUPT",
    reason: InvalidDirectoryClosureReason,
    message: string,
  ) {
    super(code, `Invalid directory closure: ${message}`);
    this.reason = reason;
  }
}
