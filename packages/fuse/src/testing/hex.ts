/** Bytes that are written out, pairs of digits with spaces between; the rest of a line after three spaces is a remark. */
export function hex(text: string): Uint8Array {
  const pairs = text
    .split("\n")
    .flatMap((line) => (line.trim().split(/ {3}/)[0] ?? "").split(" "))
    .filter((pair) => pair !== "");
  return Uint8Array.from(pairs, (pair) => {
    if (!/^[0-9a-f]{2}$/.test(pair)) throw new RangeError(`Cannot read a byte: "${pair}"`);
    return Number.parseInt(pair, 16);
  });
}
