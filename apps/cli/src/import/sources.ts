import { lstatSync } from "node:fs";
import { escapeBytes } from "@tvix/castore";
import { StoreError } from "@tvix/store";
import { checkImportName, importName } from "@tvix/store/fs";
import { wordBytes } from "../args/raw-words.js";
import { fileError, UsageError } from "../exit.js";
import { lowerFirst } from "../failure.js";

/** Something to import. */
export interface Source {
  /** As it was typed. */
  readonly path: Uint8Array;
  /** Name for its store path. */
  readonly name: string;
}

/**
 * Checks all that can be checked before anything is read: every name, and that every path exists.
 *
 * @param name - given for the one path; `undefined` to name each after its last component
 * @throws {@link UsageError} with the rule that a name breaks
 * @throws `NotFoundError`
 */
export function checkSources(
  words: readonly string[],
  name: string | undefined,
): readonly Source[] {
  if (name !== undefined && words.length > 1) {
    throw new UsageError(`option --name is for a single PATH, but there are ${words.length}`);
  }
  const sources = words.map((word) => named(wordBytes(word), name));
  for (const { path } of sources) checkExists(path);
  return sources;
}

function named(path: Uint8Array, name: string | undefined): Source {
  if (path.byteLength === 0) throw new UsageError('a PATH is empty: "" names no file');
  try {
    return { path, name: name === undefined ? importName(path) : checkName(name) };
  } catch (error) {
    if (!StoreError.is(error)) throw error;
    const hint = name === undefined ? "; choose another with --name NAME" : "";
    throw new UsageError(
      `cannot import "${escapeBytes(path)}": ${lowerFirst(error.message)}${hint}`,
      {
        cause: error,
      },
    );
  }
}

function checkName(name: string): string {
  return checkImportName(wordBytes(name));
}

function checkExists(path: Uint8Array): void {
  try {
    lstatSync(Buffer.from(path));
  } catch (cause) {
    throw fileError(`cannot import "${escapeBytes(path)}"`, cause);
  }
}
