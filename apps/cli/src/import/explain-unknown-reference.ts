import { UnknownReferenceError } from "@tvix/store/fs";
import { CliError, EXIT } from "../exit.js";

/**
 * Says what can be done where the store lacks something that is somewhere else: nothing is damaged.
 *
 * @throws whatever it is given
 */
export function explainUnknownReference(error: unknown): never {
  if (!(error instanceof UnknownReferenceError)) throw error;
  const message = `${error.message}: copy it there first, see tvix copy`;
  throw new CliError(EXIT.failed, message, { cause: error });
}
