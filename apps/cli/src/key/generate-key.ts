import { InvalidKeyError, SigningKey } from "@tvix/store";
import type { Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";

/** Prints a new secret key. */
export async function generateKey(invocation: Invocation, { stdout }: Host): Promise<number> {
  const [name = ""] = invocation.arguments;
  try {
    await stdout.line(SigningKey.generate(name).formatSecret());
    return EXIT.ok;
  } catch (error) {
    if (error instanceof InvalidKeyError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
