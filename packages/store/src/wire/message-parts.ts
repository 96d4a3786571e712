/** The fields of a protobuf message as deterministic encoders write them; see `message-reader.ts`. */

/** A single number; nothing for 0, the default. */
export function numberField(number: number, value: bigint): Uint8Array[] {
  return value === 0n ? [] : [Uint8Array.from([number * 8, ...varint(value)])];
}

/** Bytes or text; nothing when they are empty, the default. */
export function bytesField(number: number, value: Uint8Array): Uint8Array[] {
  return value.byteLength === 0 ? [] : elementField(number, value);
}

/** An embedded message, or one element of a repeated field; written when it is empty, too. */
export function elementField(number: number, value: Uint8Array): Uint8Array[] {
  return [Uint8Array.from([number * 8 + 2, ...varint(BigInt(value.byteLength))]), value];
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}
