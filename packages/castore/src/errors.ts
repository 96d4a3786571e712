/**
 * What a caller can do about a failure:
 *
 * - `INVALID_ARGUMENT`: the input breaks a rule; correct it.
 * - `CORRUPT`: stored or received bytes do not match their digest or format; repair or refetch.
 * - `MISSING_REFERENCE`: something refers to content that is not there.
 * - `UNAVAILABLE`: the store cannot be reached or is busy; try again later.
 * - `UNSUPPORTED`: this implementation cannot do that.
 * - `PERMISSION_DENIED`: the system refuses access.
 * - `STORAGE`: the store behind failed (disk full, I/O error, ...); see `cause`.
 */
export type CastoreErrorCode =
  | "INVALID_ARGUMENT"
  | "CORRUPT"
  | "MISSING_REFERENCE"
  | "UNAVAILABLE"
  | "UNSUPPORTED"
  | "PERMISSION_DENIED"
  | "STORAGE";

/** Error raised by `@tvix/castore`. Branch on `code`, never on the message. */
export class CastoreError extends Error {
  override readonly name: string = "CastoreError";
  readonly code: CastoreErrorCode;

  constructor(code: CastoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** True for any error of this package, also one created by another copy of it. */
  static is(value: unknown, code?: CastoreErrorCode): value is CastoreError {
    return (
      value instanceof Error &&
      "isCastoreError" in value &&
      "code" in value &&
      (code === undefined || value.code === code)
    );
  }

  /** Brand that survives two copies of the package in one process. */
  get isCastoreError(): true {
    return true;
  }
}
