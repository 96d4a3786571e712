import { lstatSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { escapeBytes } from "@tvix/castore";
import { UsageError } from "../exit.js";
import type { Source } from "./sources.js";

/**
 * Refuses to import a directory that holds the store itself: it would grow while it is read, by what
 * was read.
 *
 * @throws {@link UsageError}
 */
export function checkOutsideStore(sources: readonly Source[], dataDirectory: string): void {
  const store = realPathOf(dataDirectory);
  for (const { path } of sources) {
    if (isWithin(store, directoryAt(path))) {
      throw new UsageError(
        `cannot import "${escapeBytes(path)}": the store itself is in it, at ${dataDirectory}; choose another place with --data-dir`,
      );
    }
  }
}

/** Where the path leads, or will lead once the missing directories at its end are made. */
function realPathOf(path: string): Buffer {
  const absolute = resolve(path);
  for (let existing = absolute; ; existing = dirname(existing)) {
    try {
      const real = realpathSync(existing, "buffer");
      return Buffer.concat([real, Buffer.from(absolute.slice(existing.length))]);
    } catch (error) {
      // Whatever keeps the store from being there, opening it will tell.
      if (existing === dirname(existing)) throw error;
    }
  }
}

/** The real path of a directory; `undefined` for anything else, a link to one included. */
function directoryAt(path: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(path);
  return lstatSync(bytes).isDirectory() ? realpathSync(bytes, "buffer") : undefined;
}

const SLASH = Buffer.from("/");

function isWithin(path: Buffer, directory: Buffer | undefined): boolean {
  if (directory === undefined) return false;
  const prefix = directory.equals(SLASH) ? SLASH : Buffer.concat([directory, SLASH]);
  return path.equals(directory) || path.subarray(0, prefix.length).equals(prefix);
}
