import type { DirectorySizeRule } from "@tvix/castore";
import { CliError, EXIT } from "../exit.js";
import { messageOf } from "../failure.js";

/** How tvix and snix say that the size of a Directory does not follow their rule. */
const WRONG_SIZE = /\bwrong size\b/;

/**
 * Says what can be done where a store counts the size of Directories by the other rule.
 *
 * @param rule - the one that was used
 * @returns what throws whatever it is given
 */
export function explainWrongSize(rule: DirectorySizeRule): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Error) || !WRONG_SIZE.test(messageOf(error))) throw error;
    const other = rule === "documented" ? "doubled" : "documented";
    const message = `${messageOf(error)}: this store needs --directory-size-rule ${other}`;
    throw new CliError(EXIT.failed, message, { cause: error });
  };
}
