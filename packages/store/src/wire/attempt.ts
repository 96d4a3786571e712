import { CastoreError } from "@tvix/castore";
import { StoreError } from "../errors.js";
import { InvalidPathInfoError, type InvalidPathInfoReason } from "../path-info.js";

/**
 * Runs `parse` and turns its refusal into one of the path info as a whole.
 *
 * @internal
 */
export function attempt<T>(reason: InvalidPathInfoReason, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!StoreError.is(error) && !CastoreError.is(error)) throw error;
    throw new InvalidPathInfoError(reason, `${what}: ${error.message}`, { cause: error });
  }
}
