import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { InvalidKeyError, SigningKey } from "@tvix/store";
import { ConfigError } from "../config/config-error.js";
import { unreadable } from "../config/unreadable.js";

/** A key has less than 400 characters. */
const MAX_FILE_BYTES = 4096;

/** Permissions of others than the owner: whoever reads the file can sign. */
const FOREIGN_READ = 0o044;

/** Keys, and what is to be said about their files. */
export interface LoadedSigningKeys {
  readonly keys: readonly SigningKey[];
  readonly warnings: readonly string[];
}

/**
 * Reads files with a secret key each, as `tvix key generate` and `nix-store --generate-binary-cache-key` write them.
 *
 * @throws {@link ConfigError} with every file that cannot be used; never with a part of a key
 */
export function readSigningKeys(files: readonly string[]): LoadedSigningKeys {
  const problems: string[] = [];
  const warnings: string[] = [];
  const keys: SigningKey[] = [];
  for (const file of files) {
    try {
      const { text, mode } = readText(file);
      const key = SigningKey.parse(text);
      if (keys.some(({ keyName }) => keyName === key.keyName)) {
        problems.push(`${file}: there is another key of the name ${key.keyName}`);
      }
      keys.push(key);
      if ((mode & FOREIGN_READ) !== 0 && process.platform !== "win32") {
        warnings.push(`${file} can be read by other users: chmod 600 ends that`);
      }
    } catch (error) {
      const isKeyError = error instanceof InvalidKeyError;
      problems.push(isKeyError ? `${file}: ${error.message}` : unreadable(file, error));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { keys, warnings };
}

function readText(file: string): { text: string; mode: number } {
  const descriptor = openSync(file, "r");
  try {
    const { size, mode } = fstatSync(descriptor);
    if (size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    return { text: readFileSync(descriptor, "utf8"), mode };
  } finally {
    closeSync(descriptor);
  }
}
