import { readFileSync } from "node:fs";
import { CliError, EXIT, fileError } from "../exit.js";

/**
 * The token in a file.
 *
 * @throws {@link CliError}
 */
export function readTokenFile(file: string): string {
  const token = readText(file).trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CliError(
    EXIT.failed,
    `the token file ${file} must hold one token of printable characters without spaces`,
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw fileError(`cannot read the token file ${file}`, cause);
  }
}
