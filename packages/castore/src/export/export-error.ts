import { getSystemErrorMap } from "node:util";
import { escapeBytes } from "../bytes.js";
import { CastoreError, type CastoreErrorCode } from "../errors.js";

/**
 * Why something cannot be exported.
 *
 * - `exists`: there is something at the destination, which is never replaced.
 * - `not-found`: the directory that the destination is to be in is not there.
 * - `access-denied`: the system refuses to write.
 * - `io`: writing failed; see `cause`.
 */
export type ExportErrorReason = "exists" | "not-found" | "access-denied" | "io";

const CODES: Record<ExportErrorReason, CastoreErrorCode> = {
  exists: "INVALID_ARGUMENT",
  "not-found": "INVALID_ARGUMENT",
  "access-denied": "PERMISSION_DENIED",
  io: "STORAGE",
};

/** A file system object that could not be written. */
export class ExportError extends CastoreError {
  override readonly name: string = "ExportError";
  readonly reason: ExportErrorReason;

  constructor(reason: ExportErrorReason, path: string, what: string, options?: ErrorOptions) {
    const escaped = escapeBytes(Uint8Array.from(path, (character) => character.charCodeAt(0)));
    super(CODES[reason], `Cannot export to "${escaped}": ${what}`, options);
    this.reason = reason;
  }
}

/**
 * An error of a system call as one of ours; what is one already, or is no error of the system, stays as it is.
 *
 * @param path - one character a byte
 */
export function exportError(cause: unknown, path: string): unknown {
  if (!(cause instanceof Error) || !("errno" in cause) || CastoreError.is(cause)) return cause;
  const code = "code" in cause ? String(cause.code) : "";
  const [reason, message] = describe(code, Number(cause.errno));
  return new ExportError(reason, path, message, { cause });
}

function describe(code: string, errno: number): [ExportErrorReason, string] {
  switch (code) {
    case "EEXIST":
    case "ENOTEMPTY":
      return ["exists", "there is something already"];
    case "ENOENT":
      return ["not-found", "no such directory to put it into"];
    case "ENOTDIR":
      return ["not-found", "a part of the path is not a directory"];
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return ["access-denied", code === "EROFS" ? "read-only file system" : "permission denied"];
    default:
      return ["io", `${getSystemErrorMap().get(errno)?.[1] ?? "system error"} (${code})`];
  }
}
