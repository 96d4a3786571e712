import { spawn } from "node:child_process";

/** How a program ended. */
export interface ToolResult {
  /** Whether it ended with status 0. */
  readonly ok: boolean;
  /** What it said, or how it ended; in one line, without its name in front. */
  readonly message: string;
}

/** What a program says is read up to this many characters. */
const MAX_MESSAGE_LENGTH = 2000;

/**
 * Runs a program of the system, and waits for its end on the event loop.
 *
 * @param descriptor - an open file that the program finds as its descriptor 3
 * @param env - variables that it gets beside those of this process
 * @returns `undefined` when there is no such program
 */
export async function runTool(
  program: string,
  args: readonly string[],
  descriptor: number | undefined = undefined,
  env: Readonly<Record<string, string>> = {},
): Promise<ToolResult | undefined> {
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "pipe", ...(descriptor === undefined ? [] : [descriptor])],
    // What it says is understood in English only.
    env: { ...process.env, LC_ALL: "C", ...env },
    // Ctrl-C is meant for this process, which needs the program to end well.
    detached: true,
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (said.length < MAX_MESSAGE_LENGTH) said += text;
  });
  return await new Promise((settle, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") settle(undefined);
      else reject(error);
    });
    child.once("close", (status, signal) => {
      const end = status === null ? `ended by ${signal}` : `exit status ${status}`;
      const text = said.trim().replace(/\s*\n\s*/g, "; ");
      const message = text.startsWith(`${program}: `) ? text.slice(program.length + 2) : text;
      settle({ ok: status === 0, message: message === "" ? end : message });
    });
  });
}
