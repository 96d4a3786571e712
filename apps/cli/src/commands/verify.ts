import type { Command, Host, Invocation } from "../command.js";

/** `tvix verify [--trusted-public-keys KEYS] [--json] PATH...` */
export const verifyCommand: Command = {
  description: [
    "Reads all of each PATH and compares it with what is stated about it: every byte with its digest, the size and hash of its NAR, and its content address where it has one. With --trusted-public-keys also its signatures, of the path and of its root: those of these keys must be right, and there must be one unless the path follows from its content.",
    "Prints what is wrong, one line for each. Exit status 4 means that something is. With --json each path is one JSON object on a line: path, ok and problems.",
  ],
  arguments: { usage: "PATH...", min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    "trusted-public-keys": {
      value: "KEYS",
      repeats: true,
      summary: "Keys to check signatures with: NAME:BASE64, with spaces between them",
    },
    json: { summary: "Print a JSON object for each path" },
  },
  examples: [
    {
      line: "tvix verify /nix/store/HASH-project && echo sound",
      meaning: "Tells whether a path is what it is said to be",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { verify } = await import("../verify/verify.js");
  return await verify(invocation, host);
}
