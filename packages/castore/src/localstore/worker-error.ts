import { CastoreError, type CastoreErrorCode } from "../errors.js";

/** An error on its way between threads: classes do not survive the passage. */
export interface WireError {
  readonly code: CastoreErrorCode | undefined;
  readonly message: string;
  readonly stack: string | undefined;
}

export function toWireError(error: unknown): WireError {
  if (CastoreError.is(error))
    return { code: error.code, message: error.message, stack: error.stack };
  if (error instanceof Error)
    return { code: undefined, message: error.message, stack: error.stack };
  return { code: undefined, message: String(error), stack: undefined };
}

export function fromWireError(wire: WireError): Error {
  const error =
    wire.code === undefined ? new Error(wire.message) : new CastoreError(wire.code, wire.message);
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}
