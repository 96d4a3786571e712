import { createReadStream } from "node:fs";
import { SigningKey } from "@tvix/store";
import type { Host } from "../command.js";
import { CliError, EXIT } from "../exit.js";

/** A key has less than 400 characters. */
const MAX_BYTES = 4096;

const STDIN = 0;

/**
 * Prints the public key of a secret key.
 *
 * @param input - standard input by default
 */
export async function printPublicKey(
  { stdout, signal }: Host,
  input: AsyncIterable<unknown> = createReadStream("", { fd: STDIN, autoClose: false, signal }),
): Promise<number> {
  const key = SigningKey.parse(await readKeyText(input));
  await stdout.line(key.publicKey.toString());
  return EXIT.ok;
}

async function readKeyText(input: AsyncIterable<unknown>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = chunk as Uint8Array;
    length += bytes.byteLength;
    if (length > MAX_BYTES) throw new CliError(EXIT.failed, "standard input is no secret key");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}
