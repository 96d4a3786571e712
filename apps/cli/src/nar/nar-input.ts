import { createReadStream } from "node:fs";
import { concatBytes, escapeBytes } from "@tvix/castore";
import { decompress, SNIFF_BYTES, sniffCompression } from "@tvix/store/upstream";
import { wordBytes } from "../args/raw-words.js";
import { CliError, EXIT, NotFoundError } from "../exit.js";

/** Standard input, where a file is asked for. */
export const STDIN = "-";

/** The bytes of a file, or of standard input for {@link STDIN}. */
export async function* readInput(word: string): AsyncGenerator<Uint8Array, void, undefined> {
  const path = wordBytes(word);
  const stream =
    word === STDIN
      ? createReadStream("", { fd: 0, autoClose: false })
      : createReadStream(Buffer.from(path));
  try {
    for await (const chunk of stream) {
      const bytes = chunk as Uint8Array;
      yield new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
  } catch (cause) {
    const name = escapeBytes(path);
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT") {
      throw new NotFoundError(`cannot read "${name}": no such file`, { cause });
    }
    throw new CliError(EXIT.failed, `cannot read "${name}"`, { cause });
  }
}

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
