import { decompress, sniffStream } from "@tvix/store/upstream";
import { readInput } from "../io/read-input.js";

/** A NAR in a file, or on standard input; compressed ones are decompressed. */
export async function* readNarInput(word: string): AsyncGenerator<Uint8Array, void, undefined> {
  const { compression = "none", bytes } = await sniffStream(readInput(word));
  yield* decompress(compression, bytes);
}
