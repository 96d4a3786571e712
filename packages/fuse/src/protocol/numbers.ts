/**
 * Numbers in messages. The protocol has the byte order of the machine, little-endian wherever Node and
 * virtio-fs run. Numbers of 64 bits are two words of 32; as one JavaScript number they are exact up to 2^53-1.
 */

const WORD = 0x1_0000_0000;
const MAX_HIGH_WORD = 0x1f_ffff;

/** What {@link readUint64} says of a number above 2^53-1. */
export const TOO_LARGE = -1;

export function readUint16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8);
}

/** @returns four bytes as a number; the caller has checked that they are there */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) |
      ((bytes[offset + 1] as number) << 8) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 3] as number) << 24)) >>>
    0
  );
}

/** @returns eight bytes as a number, or {@link TOO_LARGE}; the caller has checked that they are there */
export function readUint64(bytes: Uint8Array, offset: number): number {
  const high = readUint32(bytes, offset + 4);
  return high > MAX_HIGH_WORD ? TOO_LARGE : high * WORD + readUint32(bytes, offset);
}

/** Writes a whole number, at most 2^53-1 and down to -2^53+1 (in two's complement), as eight bytes. */
export function writeUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / WORD) >>> 0, true);
}
