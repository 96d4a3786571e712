import { concatBytes } from "@tvix/castore";
import { type Compression, SNIFF_BYTES, sniffCompression } from "./compression.js";

/** A stream, and what its first bytes tell. */
export interface SniffedStream {
  /** See {@link sniffCompression}. */
  readonly compression: Compression | undefined;
  /** All of it. */
  readonly bytes: AsyncGenerator<Uint8Array, void, undefined>;
}

/** Finds out how a stream is compressed. */
export async function sniffStream(
  source: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<SniffedStream> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.byteLength < SNIFF_BYTES) {
    const next = await source.next();
    if (next.done === true) break;
    start = start.byteLength === 0 ? next.value : concatBytes([start, next.value]);
  }
  return { compression: sniffCompression(start), bytes: startingWith(start, source) };
}

async function* startingWith(
  start: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield start;
    yield* rest;
  } finally {
    await rest.return();
  }
}
