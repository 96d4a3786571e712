/** Parts that lie one behind the other in memory, put together without a copy; the others as they are. */
export function contiguousRuns(parts: readonly Uint8Array[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  let first: Uint8Array | undefined;
  let end = 0;
  const finish = (): void => {
    if (first === undefined) return;
    runs.push(new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset));
  };
  for (const part of parts) {
    if (part.buffer !== first?.buffer || part.byteOffset !== end) {
      finish();
      first = part;
      end = part.byteOffset;
    }
    end += part.byteLength;
  }
  finish();
  return runs;
}
