import type { B3Digest, Path } from "@tvix/castore";
import { StoreError, type StoreErrorCode } from "../errors.js";

/** Why a tree cannot be rendered. */
export type NarRenderErrorReason =
  | "missing-directory"
  | "missing-blob"
  | "size-mismatch"
  | "too-large";

/**
 * Part of a tree is not there ("MISSING_REFERENCE"), a blob is not as long as its node says
 * ("CORRUPT"), or the NAR would have more bytes than can be counted ("UNSUPPORTED").
 */
export class NarRenderError extends StoreError {
  override readonly name: string = "NarRenderError";
  readonly reason: NarRenderErrorReason;
  /** Of the Directory or blob. */
  readonly digest: B3Digest;
  /** Where it belongs, from the root of the tree. */
  readonly path: Path;

  constructor(
    reason: NarRenderErrorReason,
    digest: B3Digest,
    path: Path,
    detail?: string,
    options?: ErrorOptions,
  ) {
    const what = `${SUBJECTS[reason]} ${digest}${detail === undefined ? "" : ` ${detail}`}`;
    const where = path.components.length === 0 ? "at the root" : `at "${path}"`;
    super(CODES[reason], `Cannot render a NAR: ${what}, ${where}`, options);
    this.reason = reason;
    this.digest = digest;
    this.path = path;
  }
}

const CODES: Record<NarRenderErrorReason, StoreErrorCode> = {
  "missing-directory": "MISSING_REFERENCE",
  "missing-blob": "MISSING_REFERENCE",
  "size-mismatch": "CORRUPT",
  "too-large": "UNSUPPORTED",
};

const SUBJECTS: Record<NarRenderErrorReason, string> = {
  "missing-directory": "there is no directory",
  "missing-blob": "there is no blob",
  "size-mismatch": "blob",
  "too-large": "it would be too large with",
};
