import type { CastoreErrorCode } from "@tvix/castore";

/** What a caller can do about a failure; the codes mean what they mean in `@tvix/castore`. */
export type StoreErrorCode = CastoreErrorCode;

/**
 * Error raised by `@tvix/store`. Branch on `code`, never on the message. What the services of
 * `@tvix/castore` throw passes through as it is.
 */
export class StoreError extends Error {
  override readonly name: string = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** True for any error of this package, also one created by another copy of it. */
  static is(value: unknown, code?: StoreErrorCode): value is StoreError {
    return (
      value instanceof Error &&
      "isStoreError" in value &&
      "code" in value &&
      (code === undefined || value.code === code)
    );
  }

  /** Brand that survives two copies of the package in one process. */
  get isStoreError(): true {
    return true;
  }
}
