import type { Host } from "../command.js";
import { Diagnostics } from "../io/diagnostics.js";
import { Output } from "../io/output.js";

/** A world outside that keeps what is written. */
export interface FakeHost {
  readonly host: Host;
  /** So far; standard output once it is flushed. */
  readonly written: { readonly stdout: string; readonly stderr: string };
}

/** @param own - what is not as it mostly is */
export function fakeHost(own: Partial<Host> = {}): FakeHost {
  const written = { stdout: "", stderr: "" };
  const host: Host = {
    env: {},
    homeDirectory: "/home/ada",
    isRoot: false,
    signal: new AbortController().signal,
    stderr: new Diagnostics({
      write(text) {
        written.stderr += text;
      },
    }),
    stdout: new Output({
      async write(bytes) {
        written.stdout += new TextDecoder().decode(bytes);
      },
    }),
    ...own,
  };
  return { host, written };
}
