import { createReadStream } from "node:fs";
import { concatBytes, escapeBytes } from "@tvix/castore";
import { wordBytes } from "../args/raw-words.js";
import { type CliError, fileError } from "../exit.js";

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
    throw fileError(`cannot read "${escapeBytes(path)}"`, cause);
  }
}

/**
 * The text in a file, or on standard input for {@link STDIN}.
 *
 * @param tooLong - makes the error for more than `maxBytes`
 */
export async function readText(
  word: string,
  maxBytes: number,
  tooLong: () => CliError,
): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of readInput(word)) {
    length += bytes.byteLength;
    if (length > maxBytes) throw tooLong();
    parts.push(bytes);
  }
  return new TextDecoder().decode(concatBytes(parts));
}
