/**
 * What a caller can do about a failure:
 *
 * - `INVALID_ARGUMENT`: what was asked for makes no sense, as a mount point that is no directory; correct it.
 * - `UNSUPPORTED`: a program or package that is needed is missing, or the system cannot do it.
 * - `PERMISSION_DENIED`: the system refuses access.
 * - `BUSY`: somebody uses what is to go; see who, wait or force it.
 * - `NOT_MOUNTED`: nothing is mounted there.
 * - `DEAD_MOUNT`: something is mounted there whose process is gone; unmount it.
 * - `SYSTEM`: a system call or a program failed.
 * - `PROTOCOL`: the other side, a virtual machine, breaks the rules; see its `reason`.
 */
export type FuseErrorCode =
  | "INVALID_ARGUMENT"
  | "UNSUPPORTED"
  | "PERMISSION_DENIED"
  | "BUSY"
  | "NOT_MOUNTED"
  | "DEAD_MOUNT"
  | "SYSTEM"
  | "PROTOCOL";

/** Error raised by `@tvix/fuse`. Branch on `code`, never on the message. */
export class FuseError extends Error {
  override readonly name: string = "FuseError";
  readonly code: FuseErrorCode;

  constructor(code: FuseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** True for any error of this package, also one created by another copy of it. */
  static is(value: unknown, code?: FuseErrorCode): value is FuseError {
    return (
      value instanceof Error &&
      "isFuseError" in value &&
      "code" in value &&
      (code === undefined || value.code === code)
    );
  }

  /** Brand that survives two copies of the package in one process. */
  get isFuseError(): true {
    return true;
  }
}
