import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

/**
 * A directory of its own for each test of the file or block that calls this; it is removed with all
 * that is in it.
 *
 * @returns what gives the path of `name` in the directory of the running test
 */
export function scratchDirectory(): (name?: string) => string {
  let directory = "";
  beforeEach(() => {
    // The real path: the temporary directory may be behind a link.
    directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "castore-test-")));
  });
  afterEach(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return (name = "") => join(directory, name);
}
