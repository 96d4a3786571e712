import { readFileSync } from "node:fs";
import { UsageError } from "../exit.js";

/**
 * The words of this process' command line, without Node and the script, none of them damaged.
 *
 * File names are bytes, but Node decodes arguments as UTF-8 and puts U+FFFD where that fails. Linux
 * tells the bytes in `/proc/self/cmdline`. A byte that is not UTF-8 becomes the lone surrogate
 * U+DC00 + byte, as in Python; {@link wordBytes} makes it a byte again.
 *
 * @throws {@link UsageError} when a word is damaged and the system does not tell the bytes
 */
export function rawWords(argv: readonly string[]): readonly string[] {
  const words = argv.slice(2);
  if (!words.some((word) => word.includes("\ufffd"))) return words;
  let commandLine: Uint8Array;
  try {
    commandLine = readFileSync("/proc/self/cmdline");
  } catch (cause) {
    throw new UsageError("an argument is not UTF-8, and this system does not tell its bytes", {
      cause,
    });
  }
  return splitWords(commandLine).slice(-words.length).map(fromBytes);
}

/** Bytes of a word: UTF-8, and whatever was not UTF-8 as it was typed. */
export function wordBytes(word: string): Uint8Array {
  const parts = word.split(/([\udc80-\udcff])/u);
  return Uint8Array.from(
    Buffer.concat(
      parts.map((part, index) =>
        index % 2 === 1 ? Buffer.of(part.charCodeAt(0) & 0xff) : Buffer.from(part, "utf8"),
      ),
    ),
  );
}

function splitWords(commandLine: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  for (let start = 0; start < commandLine.byteLength; ) {
    const end = commandLine.indexOf(0, start);
    words.push(commandLine.subarray(start, end));
    start = end + 1;
  }
  return words;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of `bytes` from which {@link wordBytes} gets them back. */
export function fromBytes(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.byteLength; ) {
    const length = sequenceLength(bytes, start);
    text +=
      length === 0
        ? String.fromCharCode(0xdc00 + (bytes[start] as number))
        : strict.decode(bytes.subarray(start, start + length));
    start += Math.max(length, 1);
  }
  return text;
}

/** Length of the one valid UTF-8 sequence at `start`; 0 when there is none. */
function sequenceLength(bytes: Uint8Array, start: number): number {
  for (let length = 1; length <= 4 && start + length <= bytes.byteLength; length++) {
    try {
      strict.decode(bytes.subarray(start, start + length));
      return length;
    } catch {
      // Not yet, or not at all.
    }
  }
  return 0;
}
