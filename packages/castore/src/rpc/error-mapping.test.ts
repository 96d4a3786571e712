import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { CastoreError, type CastoreErrorCode } from "../errors.js";
import {
  CASTORE_CODES,
  CONNECT_CODES,
  castoreErrorToConnect,
  connectToCastoreError,
  ERROR_CODE_TRAILER,
} from "./error-mapping.js";

const OUT: readonly [CastoreErrorCode, Code, string][] = [
  ["INVALID_ARGUMENT", Code.InvalidArgument, "what happened"],
  ["CORRUPT", Code.DataLoss, "what happened"],
  ["MISSING_REFERENCE", Code.DataLoss, "what happened"],
  ["UNAVAILABLE", Code.Unavailable, "what happened"],
  ["UNSUPPORTED", Code.Unimplemented, "what happened"],
  ["PERMISSION_DENIED", Code.PermissionDenied, "the store refuses access"],
  ["STORAGE", Code.Internal, "internal error"],
];

const IN: readonly [keyof typeof Code, CastoreErrorCode][] = [
  ["Canceled", "UNAVAILABLE"],
  ["Unknown", "STORAGE"],
  ["InvalidArgument", "INVALID_ARGUMENT"],
  ["DeadlineExceeded", "UNAVAILABLE"],
  ["NotFound", "MISSING_REFERENCE"],
  ["AlreadyExists", "STORAGE"],
  ["PermissionDenied", "PERMISSION_DENIED"],
  ["ResourceExhausted", "STORAGE"],
  ["FailedPrecondition", "MISSING_REFERENCE"],
  ["Aborted", "UNAVAILABLE"],
  ["OutOfRange", "INVALID_ARGUMENT"],
  ["Unimplemented", "UNSUPPORTED"],
  ["Internal", "STORAGE"],
  ["Unavailable", "UNAVAILABLE"],
  ["DataLoss", "CORRUPT"],
  ["Unauthenticated", "PERMISSION_DENIED"],
];

describe("castoreErrorToConnect()", () => {
  it("has a row for every code of ours", () => {
    expect(OUT.map(([code]) => code).sort()).toEqual(Object.keys(CONNECT_CODES).sort());
  });

  it.each(OUT)("turns %s into status %i", (code, status, message) => {
    const error = new CastoreError(code, "what happened");
    const told = castoreErrorToConnect(error);
    expect(told).toMatchObject({ code: status, rawMessage: message, cause: error });
    expect(told.metadata.get(ERROR_CODE_TRAILER)).toBe(code);
  });

  it("uses the status that a call wants for a code", () => {
    const error = new CastoreError("MISSING_REFERENCE", "what happened");
    const codes = { MISSING_REFERENCE: Code.FailedPrecondition };
    expect(castoreErrorToConnect(error, { codes }).code).toBe(Code.FailedPrecondition);
  });

  it.each([new Error("secret"), new TypeError("secret"), "secret", undefined])(
    "tells nothing of what is no error of ours: %s",
    (error) => {
      const told = castoreErrorToConnect(error);
      expect(told).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
      expect(told.cause).toBe(error);
      expect([...told.metadata.keys()]).toEqual([]);
      expect(told.message).not.toContain("secret");
    },
  );

  it("leaves errors of Connect as they are", () => {
    const error = new ConnectError("not here", Code.NotFound);
    expect(castoreErrorToConnect(error)).toBe(error);
  });

  it("takes the reason of the call's signal for its end, and no other error", () => {
    const reason = new Error("gone");
    const signal = AbortSignal.abort(reason);
    expect(castoreErrorToConnect(reason, { signal }).code).toBe(Code.Canceled);
    expect(castoreErrorToConnect(new Error("gone"), { signal }).code).toBe(Code.Internal);
    const deadline = new ConnectError("too late", Code.DeadlineExceeded);
    const late = castoreErrorToConnect(deadline, { signal: AbortSignal.abort(deadline) });
    expect(late.code).toBe(Code.DeadlineExceeded);
  });
});

describe("connectToCastoreError()", () => {
  it("has a row for every status", () => {
    expect(IN.map(([name]) => Code[name]).sort((a, b) => a - b)).toEqual(
      Object.keys(CASTORE_CODES).map(Number),
    );
  });

  it.each(IN)("turns %s into %s", (name, code) => {
    const cause = new ConnectError("what happened", Code[name]);
    const error = connectToCastoreError(cause, "Cannot do it");
    expect(error).toBeInstanceOf(CastoreError);
    expect(error).toMatchObject({ code, message: "Cannot do it: what happened", cause });
  });

  it.each(OUT)("gives %s back, whatever its status", (code) => {
    const told = castoreErrorToConnect(new CastoreError(code, "what happened"), {
      codes: { [code]: Code.Internal },
    });
    expect(connectToCastoreError(told, "Cannot do it").code).toBe(code);
  });

  it.each(["", "toString", "constructor", "corrupt", "CORRUPT, STORAGE"])(
    "does not believe the trailer %j",
    (trailer) => {
      const metadata = { [ERROR_CODE_TRAILER]: trailer };
      const cause = new ConnectError("what happened", Code.DataLoss, metadata);
      expect(connectToCastoreError(cause, "Cannot do it").code).toBe("CORRUPT");
    },
  );

  it("escapes and cuts what the other side says", () => {
    const hostile = new ConnectError(`\u001b[2J\n${"x".repeat(5000)}`, Code.Internal);
    const { message } = connectToCastoreError(hostile, "Cannot do it");
    expect(message.startsWith("Cannot do it: \\x1b[2J\\x0axxx")).toBe(true);
    expect(message.length).toBeLessThan(1100);
  });

  it("leaves errors of ours as they are", () => {
    const error = new CastoreError("CORRUPT", "what happened");
    expect(connectToCastoreError(error, "Cannot do it")).toBe(error);
  });

  it("takes a failure without a status for one of the connection's own kind", () => {
    const cause = new Error("socket hang up");
    const error = connectToCastoreError(cause, "Cannot do it");
    expect(error.code).toBe("STORAGE");
    expect((error.cause as ConnectError).cause).toBe(cause);
  });
});
