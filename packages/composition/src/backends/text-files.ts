import { readFile } from "node:fs/promises";
import { getSystemErrorMap } from "node:util";
import { CompositionError } from "../composition-error.js";

/**
 * The token in a file.
 *
 * @param label - who needs it, for messages
 * @throws {@link CompositionError}
 */
export async function readToken(file: string, label: string): Promise<string> {
  const token = (await readText(file, label)).trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const what = "must hold one token of printable characters without spaces";
  throw new CompositionError("unusable", [`${label}: the file ${file} ${what}`]);
}

/** @throws {@link CompositionError} */
export async function readText(file: string, label: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CompositionError("unusable", [`${label}: cannot read ${file}: ${reasonOf(cause)}`], {
      cause,
    });
  }
}

/** What the system says, without the path, which the message has already. */
function reasonOf(cause: unknown): string {
  const errno = cause instanceof Error && "errno" in cause ? Number(cause.errno) : 0;
  return getSystemErrorMap().get(errno)?.[1] ?? String(cause);
}
