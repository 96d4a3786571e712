/** Writes any protobuf bytes, also wrong ones: for tests of decoders. */
import { concatBytes, toUtf8 } from "../bytes.js";

/** A varint; with `padding`, that many bytes longer than it must be. */
export function rawVarint(value: number | bigint, padding = 0): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  for (let i = 0; i < padding; i++) {
    bytes[bytes.length - 1] = (bytes.at(-1) as number) | 0x80;
    bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

/** The tag of a field. */
export function rawTag(field: number, wireType: number): Uint8Array {
  return rawVarint(BigInt(field) * 8n + BigInt(wireType));
}

/** A field of wire type 2: byte string or embedded message, in parts. */
export function rawBytesField(field: number, ...parts: (Uint8Array | string)[]): Uint8Array {
  const bytes = concatBytes(parts.map((part) => (typeof part === "string" ? toUtf8(part) : part)));
  return concatBytes([rawTag(field, 2), rawVarint(bytes.byteLength), bytes]);
}

/** A field of wire type 0. */
export function rawVarintField(field: number, value: number | bigint): Uint8Array {
  return concatBytes([rawTag(field, 0), rawVarint(value)]);
}
