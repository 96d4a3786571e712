import type { B3Digest, Path } from "@tvix/castore";
import { StoreError } from "../errors.js";

/** Why a tree cannot be rendered. */
export type NarRenderErrorReason = "missing-directory" | "missing-blob" | "size-mismatch";

/**
 * Part of a tree is not there ("MISSING_REFERENCE"), or a blob is not as long as its node says
 * ("CORRUPT").
 */
export class NarRenderError extends StoreError {
  override readonly name: string = "NarRenderError";
  readonly reason: NarRenderErrorReason;
  /** Of the Directory or blob. */
  readonly digest: B3Digest;
  /** Where it belongs, from the root of the tree. */
  readonly path: Path;

  constructor(reason: NarRenderErrorReason, digest: B3Digest, path: Path, detail?: string) {
    const what = `${SUBJECTS[reason]} ${digest}${detail === undefined ? "" : ` ${detail}`}`;
    const where = path.components.length === 0 ? "at the root" : `at "${path}"`;
    super(
      reason === "size-mismatch" ? "CORRUPT" : "MISSING_REFERENCE",
      `Cannot render a NAR: ${what}, ${where}`,
    );
    this.reason = reason;
    this.digest = digest;
    this.path = path;
  }
}

const SUBJECTS: Record<NarRenderErrorReason, string> = {
  "missing-directory": "there is no directory",
  "missing-blob": "there is no blob",
  "size-mismatch": "blob",
};
