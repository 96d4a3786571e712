import { concatBytes } from "@tvix/castore";
import { beginBzip2 } from "./bzip2-steps.js";

/**
 * Decompresses bzip2, a block of at most 46 MB at a time, in a thread: a block takes up to some tenths of a
 * second, in which nobody else would be answered.
 *
 * @throws {@link CompressionError}
 */
export async function* readBzip2(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const steps = beginBzip2();
  let input: Uint8Array | undefined;
  let ended = false;
  try {
    for (;;) {
      const step = await steps.step(input, ended);
      input = undefined;
      if (step.type === "done") return;
      if (step.type === "bytes") yield step.bytes;
      else ({ input, ended } = await gather(iterator, step.wanted));
    }
  } finally {
    steps.close();
    await iterator.return?.();
  }
}

/** At least `wanted` bytes, unless the source ends: a way to the thread and back costs more than a few bytes. */
async function gather(
  iterator: AsyncIterator<Uint8Array>,
  wanted: number,
): Promise<{ readonly input: Uint8Array; readonly ended: boolean }> {
  const pieces: Uint8Array[] = [];
  for (let length = 0; length < wanted; ) {
    const next = await iterator.next();
    if (next.done === true) return { input: concatBytes(pieces), ended: true };
    pieces.push(next.value);
    length += next.value.byteLength;
  }
  return { input: concatBytes(pieces), ended: false };
}
