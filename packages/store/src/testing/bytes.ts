import { concatBytes } from "@tvix/castore";

/** The bytes that hexadecimal text stands for; for constants of tests. */
export function fromHex(hex: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new TypeError(`Not hexadecimal: ${hex}`);
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Collects a stream whose size the test knows to be small. */
export async function collectBytes(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of source) {
    length += part.byteLength;
    if (length > maxBytes) throw new RangeError(`More than ${maxBytes} bytes`);
    parts.push(part);
  }
  return concatBytes(parts);
}
