import { Code, ConnectError } from "@connectrpc/connect";
import { StatBlobRequestSchema } from "@tvix/protos/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeStatusMessage, encodeStatusMessage, errorTrailers, readStatus } from "./status.js";

describe("encodeStatusMessage()", () => {
  it.each([
    ["plain text", "plain text"],
    ["100%", "100%25"],
    ["a\nb", "a%0Ab"],
    ["ö", "%C3%B6"],
    ["~\u007f", "~%7F"],
    ["lone \ud800", "lone %EF%BF%BD"],
  ])("encodes %j as %j", (text, encoded) => {
    expect(encodeStatusMessage(text)).toBe(encoded);
  });

  it("is undone by decodeStatusMessage()", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
        const encoded = encodeStatusMessage(text);
        expect(encoded).toMatch(/^[ -~]*$/);
        expect(decodeStatusMessage(encoded)).toBe(text);
      }),
      { seed: 12, numRuns: 300 },
    );
  });
});

describe("decodeStatusMessage()", () => {
  it.each([
    ["100%", "100%"],
    ["%zz", "%zz"],
    ["%C3", "\ufffd"],
    ["", ""],
  ])("keeps what it can of %j", (encoded, text) => {
    expect(decodeStatusMessage(encoded)).toBe(text);
  });
});

describe("errorTrailers()", () => {
  it("carries code, message, metadata and details", () => {
    const error = new ConnectError("gone", Code.NotFound, { "x-why": "test" }, [
      { desc: StatBlobRequestSchema, value: { digest: Uint8Array.of(1, 2) } },
    ]);
    const trailers = errorTrailers(error);
    const read = readStatus(JSON.parse(JSON.stringify(trailers)));
    expect(read).toBeInstanceOf(ConnectError);
    const back = ConnectError.from(read);
    expect([back.code, back.rawMessage]).toEqual([Code.NotFound, "gone"]);
    expect(back.metadata.get("x-why")).toBe("test");
    const [detail] = back.findDetails(StatBlobRequestSchema);
    expect([...(detail?.digest ?? [])]).toEqual([1, 2]);
  });

  it("leaves out what HTTP/2 forbids and what would contradict the status", () => {
    const trailers = errorTrailers(
      new ConnectError("x", Code.Internal, {
        connection: "close",
        "content-length": "3",
        "grpc-status": "0",
        "content-type": "text/plain",
      }),
    );
    expect(trailers).toEqual({ "grpc-status": "13", "grpc-message": "x" });
  });

  it("cuts long messages and leaves out long details: the status must arrive", () => {
    const trailers = errorTrailers(
      new ConnectError("x".repeat(100_000), Code.Internal, undefined, [
        { desc: StatBlobRequestSchema, value: { digest: new Uint8Array(100_000) } },
      ]),
    );
    expect(String(trailers["grpc-message"])).toHaveLength(2048);
    expect(trailers["grpc-status-details-bin"]).toBeUndefined();
  });
});

describe("readStatus()", () => {
  it.each([
    [{ "grpc-status": "0" }, undefined],
    [{}, "missing"],
  ])("reads %j as %j", (trailers, expected) => {
    expect(readStatus(trailers)).toBe(expected);
  });

  it.each(["17", "-1", "abc", "1e1", ""])("reads the unknown status %j as Unknown", (status) => {
    const error = ConnectError.from(readStatus({ "grpc-status": status, "grpc-message": "m" }));
    expect(error.code).toBe(Code.Unknown);
  });

  it("survives malformed details", () => {
    const error = ConnectError.from(
      readStatus({ "grpc-status": "5", "grpc-status-details-bin": "//////8" }),
    );
    expect([error.code, error.details]).toEqual([Code.NotFound, []]);
  });
});
