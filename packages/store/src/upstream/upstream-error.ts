import { StoreError, type StoreErrorCode } from "../errors.js";

/**
 * What went wrong with another cache:
 *
 * - `unreachable`, `timeout`, `truncated`: the connection could not be made, said nothing for too long, or
 *   broke off.
 * - `status`: an answer that is neither yes nor no, such as 500.
 * - `denied`: the cache wants to know who asks (401, 407).
 * - `redirect`: too many redirects, or one to where none may lead.
 * - `too-large`: an answer is longer than anything it could be.
 * - `not-a-cache`, `store-dir`: there is no binary cache at the URL, or one for another store directory.
 * - `other-path`: the cache answered about another path than the one asked for.
 * - `unsigned`: nobody who is trusted has signed what the cache says.
 * - `missing-nar`: the cache describes a path and does not have its NAR.
 * - `compression`: the NAR is compressed in a way that is not known here.
 * - `mismatch`: what came is not what the cache said.
 */
export type UpstreamErrorReason =
  | "unreachable"
  | "timeout"
  | "truncated"
  | "status"
  | "denied"
  | "redirect"
  | "too-large"
  | "not-a-cache"
  | "store-dir"
  | "other-path"
  | "unsigned"
  | "missing-nar"
  | "compression"
  | "mismatch";

const CODES: Readonly<Record<UpstreamErrorReason, StoreErrorCode>> = {
  unreachable: "UNAVAILABLE",
  timeout: "UNAVAILABLE",
  truncated: "UNAVAILABLE",
  status: "UNAVAILABLE",
  denied: "PERMISSION_DENIED",
  redirect: "UNAVAILABLE",
  "too-large": "CORRUPT",
  "not-a-cache": "INVALID_ARGUMENT",
  "store-dir": "INVALID_ARGUMENT",
  "other-path": "CORRUPT",
  unsigned: "PERMISSION_DENIED",
  "missing-nar": "MISSING_REFERENCE",
  compression: "UNSUPPORTED",
  mismatch: "CORRUPT",
};

/** What is known about a failure besides its message. */
export interface UpstreamErrorDetails extends ErrorOptions {
  /** HTTP status, for reasons that come from one. */
  readonly status?: number;
  /** Whether the same request may succeed a little later. False by default. */
  readonly transient?: boolean;
  /** How long the cache asks to be left alone, in milliseconds. */
  readonly retryAfter?: number | undefined;
}

/** A failure of, or of talking to, a cache of somebody else. Its message holds no password and no query. */
export class UpstreamError extends StoreError {
  override readonly name: string = "UpstreamError";
  readonly reason: UpstreamErrorReason;
  readonly status: number | undefined;
  /** Whether the same request may succeed a little later. */
  readonly transient: boolean;
  /** How long the cache asks to be left alone, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(reason: UpstreamErrorReason, message: string, details: UpstreamErrorDetails = {}) {
    const { status, transient = false, retryAfter, ...options } = details;
    super(CODES[reason], message, options);
    this.reason = reason;
    this.status = status;
    this.transient = transient;
    this.retryAfter = retryAfter;
  }
}
