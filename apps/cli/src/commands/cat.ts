import type { Command, Host, Invocation } from "../command.js";
import { TARGET_HELP, TARGET_USAGE } from "../target/help.js";

/** `tvix cat TARGET [PATH]` */
export const catCommand: Command = {
  description: [
    "Writes the content of a file to standard output. Every byte is verified against its digest before it is written: damaged content ends with exit status 4, never with wrong bytes.",
    TARGET_HELP,
  ],
  arguments: { usage: TARGET_USAGE, min: 1, max: 2 },
  options: {},
  examples: [
    {
      line: "tvix cat /nix/store/HASH-project/README.md",
      meaning: "Prints a file of an imported project",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { printFile } = await import("../target/print-file.js");
  return await printFile(invocation, host);
}
