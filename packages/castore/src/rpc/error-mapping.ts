/**
 * Errors of castore as errors of Connect and gRPC, and back: one table for each direction. The code of
 * ours travels in a trailer as well, since several of them share a status.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { escapeBytes, toUtf8 } from "../bytes.js";
import { CastoreError, type CastoreErrorCode } from "../errors.js";

/** Name of the trailer that carries a {@link CastoreErrorCode}. An addition of ours. */
export const ERROR_CODE_TRAILER = "tvix-error-code";

/** Longest message of the other side that becomes part of ours, in characters. */
const MAX_REMOTE_MESSAGE = 1000;

/** What each code is on the wire. */
export const CONNECT_CODES: Readonly<Record<CastoreErrorCode, Code>> = {
  INVALID_ARGUMENT: Code.InvalidArgument,
  CORRUPT: Code.DataLoss,
  MISSING_REFERENCE: Code.DataLoss,
  UNAVAILABLE: Code.Unavailable,
  UNSUPPORTED: Code.Unimplemented,
  PERMISSION_DENIED: Code.PermissionDenied,
  STORAGE: Code.Internal,
};

/** What each status means, from a server that does not send {@link ERROR_CODE_TRAILER}. */
export const CASTORE_CODES: Readonly<Record<Code, CastoreErrorCode>> = {
  // Nobody here has canceled: an abort of ours never gets as far as this table.
  [Code.Canceled]: "UNAVAILABLE",
  [Code.Unknown]: "STORAGE",
  [Code.InvalidArgument]: "INVALID_ARGUMENT",
  [Code.DeadlineExceeded]: "UNAVAILABLE",
  [Code.NotFound]: "MISSING_REFERENCE",
  [Code.AlreadyExists]: "STORAGE",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "STORAGE",
  [Code.FailedPrecondition]: "MISSING_REFERENCE",
  [Code.Aborted]: "UNAVAILABLE",
  [Code.OutOfRange]: "INVALID_ARGUMENT",
  [Code.Unimplemented]: "UNSUPPORTED",
  [Code.Internal]: "STORAGE",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "CORRUPT",
  [Code.Unauthenticated]: "PERMISSION_DENIED",
};

/** What the other side may read of a failure that is none of its business. */
const GENERIC_MESSAGES: Partial<Record<CastoreErrorCode, string>> = {
  // These name files of ours.
  PERMISSION_DENIED: "the store refuses access",
  STORAGE: "internal error",
};

/** An error of this package, or one that has codes of the same meaning. */
export interface CodedError extends Error {
  readonly code: CastoreErrorCode;
}

/** How an error is told to the other side. */
export interface ToConnectOptions {
  /** The signal of the call: what it rejects with is not a failure. */
  readonly signal?: AbortSignal;
  /** Status of some codes where the protocol wants another than {@link CONNECT_CODES} says. */
  readonly codes?: Partial<Record<CastoreErrorCode, Code>>;
  /** Which errors have a code; those of this package by default. */
  readonly isCoded?: (error: unknown) => error is CodedError;
}

/**
 * What the other side is told of `error`: code and message of an error of ours, "internal error" of
 * any other. The error itself is the `cause`, which does not leave the process. Errors of Connect
 * stay what they are.
 */
export function castoreErrorToConnect(
  error: unknown,
  options: ToConnectOptions = {},
): ConnectError {
  if (error instanceof ConnectError) return error;
  const { signal, codes = {}, isCoded = isCastoreError } = options;
  if (signal?.aborted === true && error === signal.reason) {
    return new ConnectError("the call was canceled", Code.Canceled, undefined, undefined, error);
  }
  if (!isCoded(error)) {
    return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
  }
  const { code } = error;
  const message = GENERIC_MESSAGES[code] ?? error.message;
  const metadata = { [ERROR_CODE_TRAILER]: code };
  return new ConnectError(message, codes[code] ?? CONNECT_CODES[code], metadata, undefined, error);
}

/** A failure of the other side in our terms. */
export interface RemoteFailure {
  readonly code: CastoreErrorCode;
  /** What it says, escaped and cut to a sensible length. */
  readonly message: string;
  readonly cause: ConnectError;
}

/** Reads what the other side tells of its failure. */
export function remoteFailure(error: unknown): RemoteFailure {
  const cause = ConnectError.from(error);
  const told = cause.metadata.get(ERROR_CODE_TRAILER);
  const code = isCastoreErrorCode(told) ? told : CASTORE_CODES[cause.code];
  const message = escapeBytes(toUtf8(cause.rawMessage.slice(0, MAX_REMOTE_MESSAGE)));
  return { code, message, cause };
}

/**
 * The error of ours that a failed call amounts to.
 *
 * @param what - was tried, as the start of a sentence: "Cannot read blob b3:..."
 */
export function connectToCastoreError(error: unknown, what: string): CastoreError {
  if (CastoreError.is(error)) return error;
  const { code, message, cause } = remoteFailure(error);
  return new CastoreError(code, `${what}: ${message}`, { cause });
}

function isCastoreError(error: unknown): error is CodedError {
  return CastoreError.is(error);
}

function isCastoreErrorCode(text: string | null): text is CastoreErrorCode {
  return text !== null && Object.hasOwn(CONNECT_CODES, text);
}
