/**
 * The status of a gRPC call in its trailers: `grpc-status`, `grpc-message` (percent-encoded UTF-8) and
 * `grpc-status-details-bin` (a `google.rpc.Status`: code 1, message 2, repeated Any details 3; an
 * `Any`: type_url 1, value 2).
 */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { addMetadata, toHeaders } from "./metadata.js";

/** Most peers accept 8 KiB of headers in all; longer messages are cut. */
const MAX_MESSAGE_CHARS = 2048;

/** Details that would not fit into the 8 KiB are left out: code and message must arrive. */
const MAX_DETAILS_CHARS = 4096;

type Details = ConnectError["details"];

/** Trailers of a call that succeeded. */
export const OK_TRAILERS: Readonly<OutgoingHttpHeaders> = { "grpc-status": "0" };

/** Trailers that tell the peer of `error`, with its metadata and details. */
export function errorTrailers(error: ConnectError): OutgoingHttpHeaders {
  const trailers = addMetadata({}, error.metadata);
  const message = error.rawMessage.slice(0, MAX_MESSAGE_CHARS);
  trailers["grpc-status"] = String(error.code);
  trailers["grpc-message"] = encodeStatusMessage(message);
  if (error.details.length > 0) {
    const details = Buffer.from(encodeStatus(error.code, message, error.details));
    const text = details.toString("base64").replace(/=+$/, "");
    if (text.length <= MAX_DETAILS_CHARS) {
      trailers["grpc-status-details-bin"] = text;
    }
  }
  return trailers;
}

/**
 * What trailers (or the headers of a response without a body) say of the call: an error, `undefined` for
 * success, or "missing" when they carry no status.
 */
export function readStatus(trailers: IncomingHttpHeaders): ConnectError | "missing" | undefined {
  const status = trailers["grpc-status"];
  if (status === "0") {
    return undefined;
  }
  if (typeof status !== "string") {
    return "missing";
  }
  const code = /^\d{1,2}$/.test(status) ? Number(status) : -1;
  const text = trailers["grpc-message"];
  const message = decodeStatusMessage(typeof text === "string" ? text : "");
  const metadata = toHeaders(trailers);
  if (!(code in Code)) {
    return new ConnectError(`unknown grpc-status ${status}: ${message}`, Code.Unknown, metadata);
  }
  const error = new ConnectError(message, code, metadata);
  const details = trailers["grpc-status-details-bin"];
  if (typeof details === "string") {
    error.details = decodeStatusDetails(Buffer.from(details, "base64"));
  }
  return error;
}

/** Percent-encodes what is not printable ASCII, and the percent sign. */
export function encodeStatusMessage(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) {
    return message;
  }
  let encoded = "";
  for (const byte of Buffer.from(message, "utf8")) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The reverse of {@link encodeStatusMessage}. What is not valid stays as it is: an error text is never lost. */
export function decodeStatusMessage(encoded: string): string {
  if (!encoded.includes("%")) {
    return encoded;
  }
  const bytes = encoded.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function encodeStatus(code: Code, message: string, details: Details): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int32(code);
  writer.tag(2, WireType.LengthDelimited).string(message);
  for (const detail of details) {
    writer.tag(3, WireType.LengthDelimited).fork();
    const outgoing = "desc" in detail;
    const type = outgoing ? detail.desc.typeName : detail.type;
    const value = outgoing
      ? toBinary(detail.desc, create(detail.desc, detail.value))
      : detail.value;
    writer.tag(1, WireType.LengthDelimited).string(`type.googleapis.com/${type}`);
    writer.tag(2, WireType.LengthDelimited).bytes(value);
    writer.join();
  }
  return writer.finish();
}

/** The details of an encoded status. Malformed ones are left out; code and message have their own headers. */
function decodeStatusDetails(bytes: Uint8Array): Details {
  const details: Details = [];
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 3 && wireType === WireType.LengthDelimited) {
        details.push(decodeAny(reader.bytes()));
      } else {
        reader.skip(wireType, field);
      }
    }
  } catch {
    return details;
  }
  return details;
}

function decodeAny(bytes: Uint8Array): { type: string; value: Uint8Array } {
  const reader = new BinaryReader(bytes);
  let type = "";
  let value: Uint8Array = new Uint8Array(0);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) {
      const url = reader.string();
      type = url.slice(url.lastIndexOf("/") + 1);
    } else if (field === 2 && wireType === WireType.LengthDelimited) {
      value = reader.bytes();
    } else {
      reader.skip(wireType, field);
    }
  }
  return { type, value };
}
