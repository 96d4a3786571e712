/** Errors of store as errors of Connect and gRPC, and back; the tables are those of castore. */
import { CastoreError } from "@tvix/castore";
import { type CodedError, remoteFailure } from "@tvix/castore/rpc";
import { StoreError } from "../errors.js";

/** Whether `error` is one of ours or of castore: one whose code and message are meant for callers. */
export function isCodedError(error: unknown): error is CodedError {
  return StoreError.is(error) || CastoreError.is(error);
}

/**
 * The error of ours that a failed call amounts to.
 *
 * @param what - was tried, as the start of a sentence: "Cannot find ..."
 */
export function connectToStoreError(error: unknown, what: string): CodedError {
  if (isCodedError(error)) return error;
  const { code, message, cause } = remoteFailure(error);
  return new StoreError(code, `${what}: ${message}`, { cause });
}
