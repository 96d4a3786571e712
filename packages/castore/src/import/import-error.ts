import { getSystemErrorMap } from "node:util";
import { escapeBytes } from "../bytes.js";
import { CastoreError, type CastoreErrorCode } from "../errors.js";

/**
 * Why a path cannot be imported.
 *
 * - `not-found`: it is not there.
 * - `unsupported-type`: a socket, fifo or device.
 * - `changed`: it was changed, replaced or removed while it was read. A small file is read again
 *   first; a large one is not, since its beginning is on its way already.
 * - `access-denied`: the system refuses to read it.
 * - `invalid`: its name or target breaks a rule of the format.
 * - `io`: reading failed.
 */
export type ImportErrorReason =
  | "not-found"
  | "unsupported-type"
  | "changed"
  | "access-denied"
  | "invalid"
  | "io";

const CODES: Record<ImportErrorReason, CastoreErrorCode> = {
  "not-found": "INVALID_ARGUMENT",
  "unsupported-type": "INVALID_ARGUMENT",
  changed: "UNAVAILABLE",
  "access-denied": "PERMISSION_DENIED",
  invalid: "INVALID_ARGUMENT",
  io: "STORAGE",
};

/** A file system object that could not be imported. */
export class ImportError extends CastoreError {
  override readonly name: string = "ImportError";
  readonly reason: ImportErrorReason;
  /** The path, escaped for people. */
  readonly path: string;

  private constructor(
    reason: ImportErrorReason,
    path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(CODES[reason], message, options);
    this.reason = reason;
    this.path = path;
  }

  /** @param path - one character a byte */
  static at(
    reason: ImportErrorReason,
    path: string,
    what: string,
    options?: ErrorOptions,
  ): ImportError {
    const escaped = escapeBytes(Uint8Array.from(path, (character) => character.charCodeAt(0)));
    return new ImportError(reason, escaped, `Cannot import "${escaped}": ${what}`, options);
  }

  /**
   * An error of which the parts are known: from another thread, where it was made by {@link at}.
   *
   * @param path - escaped already
   */
  static restore(
    reason: ImportErrorReason,
    path: string,
    message: string,
    options?: ErrorOptions,
  ): ImportError {
    return new ImportError(reason, path, message, options);
  }
}

/** An error of a system call on `path` as one of ours. */
export function importError(cause: unknown, path: string): ImportError {
  if (cause instanceof ImportError) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const [reason, message] = describe(code, cause);
  return ImportError.at(reason, path, message, { cause });
}

function describe(code: string, cause: unknown): [ImportErrorReason, string] {
  switch (code) {
    case "ENOENT":
      return ["not-found", "no such file or directory"];
    case "ENOTDIR":
      return ["not-found", "a part of the path is not a directory"];
    case "EACCES":
    case "EPERM":
      return ["access-denied", "permission denied"];
    case "EISDIR":
      return ["changed", "it became a directory while it was read"];
    case "ENXIO":
    case "ESPIPE":
      return ["unsupported-type", "it is a socket, a fifo or a device"];
    default:
      return ["io", describeOther(code, cause)];
  }
}

/** What the system says, without the path that Node adds: it may hold anything. */
function describeOther(code: string, cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (!("errno" in cause)) return cause.message;
  const known = getSystemErrorMap().get(Number(cause.errno));
  return known === undefined
    ? `system error ${Math.abs(Number(cause.errno))}`
    : `${known[1]} (${code})`;
}
