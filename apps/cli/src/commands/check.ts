import type { Command, Host, Invocation } from "../command.js";

/** `tvix check [--json]` */
export const checkCommand: Command = {
  description: [
    "Reads the whole store: every record against its digest, every directory and store path against what it refers to. Prints what is wrong, one finding a line; nothing at all when everything is well.",
    "Exit status 4 means that something is damaged or missing. Nothing is changed.",
    "With --json each finding is one JSON object on a line: type (pack, record or reference), message and, where they apply, subject (a digest or hash) and pack.",
  ],
  arguments: { usage: "", min: 0, max: 0 },
  options: {
    nars: { summary: "Also render the NAR of every store path and compare its hash" },
    json: { summary: "Print a JSON object for each finding" },
  },
  examples: [{ line: "tvix check && echo sound", meaning: "Tells whether the store is sound" }],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { checkStore } = await import("../store/check-store.js");
  return await checkStore(invocation, host);
}
