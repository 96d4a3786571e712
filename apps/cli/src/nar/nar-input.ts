import { concatBytes } from "@tvix/castore";
import { decompress, SNIFF_BYTES, sniffCompression } from "@tvix/store/upstream";
import { readInput } from "../io/read-input.js";

/** A NAR in a file, or on standard input; compressed ones are decompressed. */
export async function* readNarInput(word: string): AsyncGenerator<Uint8Array, void, undefined> {
  const source = readInput(word);
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < SNIFF_BYTES) {
    const next = await source.next();
    if (next.done === true) break;
    parts.push(next.value);
    length += next.value.byteLength;
  }
  const start = concatBytes(parts);
  yield* decompress(sniffCompression(start) ?? "none", following(start, source));
}

async function* following(
  start: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield start;
  yield* rest;
}
