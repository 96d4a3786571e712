import { run } from "../run.js";
import { fakeHost } from "./fake-host.js";

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
  const env = { TVIX_DATA_DIR: dataDirectory };
  const { host, written } = fakeHost({ env, homeDirectory: dataDirectory });
  const status = await run(() => words, host);
  return { status, ...written };
}
