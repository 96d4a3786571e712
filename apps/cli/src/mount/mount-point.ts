import { quote } from "../args/quote.js";
import { wordBytes } from "../args/raw-words.js";
import type { Invocation } from "../command.js";
import { UsageError } from "../exit.js";

/**
 * The mount point of a command line, as it was typed.
 *
 * @throws {@link UsageError} for one that the programs which mount could not be told
 */
export function readMountPoint(invocation: Invocation): string {
  const [text = ""] = invocation.arguments;
  if (text === "") throw new UsageError("the mount point is empty: name a directory");
  if (Buffer.from(wordBytes(text)).toString("utf8") !== text) {
    throw new UsageError(`a mount point must have a name in UTF-8, but it is ${quote(text)}`);
  }
  return text;
}
