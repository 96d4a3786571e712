import type { Command, Host, Invocation } from "../command.js";
import { TARGET_HELP } from "../target/help.js";

/** `tvix info [--json] [TARGET [PATH]]` */
export const infoCommand: Command = {
  description: [
    "Without TARGET: what the store holds, how much of it there is and how much room it takes.",
    "With TARGET: its digest and size, and for a store path the hash and size of its NAR, its references and its signatures.",
    TARGET_HELP,
  ],
  arguments: { usage: "[TARGET[/PATH] [PATH]]", min: 0, max: 2 },
  options: { json: { summary: "Print one JSON document" } },
  examples: [
    { line: "tvix info", meaning: "Shows how well the store deduplicates and compresses" },
    { line: "tvix info --json /nix/store/HASH-project", meaning: "Prints the NAR hash and more" },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { info } = await import("../info/info.js");
  return await info(invocation, host);
}
