import { Diagnostics } from "../io/diagnostics.js";
import { Output } from "../io/output.js";
import { run } from "../run.js";

/** How a command line ended, and what it wrote. */
export interface LineOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tvix WORDS` in this process, with the store in `dataDirectory`. */
export async function runLine(
  dataDirectory: string,
  ...words: readonly string[]
): Promise<LineOutcome> {
  const written = { stdout: "", stderr: "" };
  const stderr = new Diagnostics({
    write(text) {
      written.stderr += text;
    },
  });
  const stdout = new Output({
    async write(bytes) {
      written.stdout += new TextDecoder().decode(bytes);
    },
  });
  const status = await run(() => words, {
    env: { TVIX_DATA_DIR: dataDirectory },
    homeDirectory: dataDirectory,
    isRoot: false,
    signal: new AbortController().signal,
    stderr,
    stdout,
  });
  return { status, ...written };
}
