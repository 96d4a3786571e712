import type { Command, Host, Invocation } from "../command.js";
import { TARGET_HELP, TARGET_USAGE } from "../target/help.js";

/** `tvix tree [-L N] [--json] TARGET [PATH]` */
export const treeCommand: Command = {
  description: [
    "Draws a directory and everything below it, names in byte order, and counts what there is.",
    TARGET_HELP,
    "Names that are not printable come out escaped. --json prints one document: each directory has entries, a list of objects with name (nameBase64 where the name is not UTF-8) and what the name stands for.",
  ],
  arguments: { usage: TARGET_USAGE, min: 1, max: 2 },
  options: {
    depth: { short: "L", value: "N", summary: "Go down at most N levels" },
    json: { summary: "Print one JSON document" },
  },
  examples: [
    {
      line: "tvix tree -L 2 /nix/store/HASH-project",
      meaning: "Draws the two upper levels of an imported project",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { drawTree } = await import("../target/draw-tree.js");
  return await drawTree(invocation, host);
}
