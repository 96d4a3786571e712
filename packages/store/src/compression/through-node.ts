import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import { CompressionError } from "./compression-error.js";

/**
 * Passes bytes through a transform of Node. The source is closed on every path, and what it throws
 * comes out as it is; a failure of the transform becomes a {@link CompressionError}.
 */
export async function* throughNode(
  source: AsyncIterable<Uint8Array>,
  transform: Duplex,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: { readonly error: unknown } | undefined;
  async function* watched(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* source;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  // Errors of either side come out of the iteration below.
  pipeline(watched(), transform, () => {});
  try {
    for await (const chunk of transform) yield plain(chunk as Uint8Array);
  } catch (error) {
    if (failure !== undefined) throw failure.error;
    throw CompressionError.of(what, error);
  } finally {
    transform.destroy();
  }
}

/** A Buffer must not leave this folder. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Cuts what comes into pieces: for transforms that give out all that they make of a piece at once. */
export async function* slices(
  source: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    for (let start = 0; start < chunk.byteLength; start += length) {
      yield chunk.subarray(start, start + length);
    }
  }
}
