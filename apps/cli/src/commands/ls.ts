import type { Command, Host, Invocation } from "../command.js";
import { TARGET_HELP, TARGET_USAGE } from "../target/help.js";

/** `tvix ls [-l] [-R] [-0] [--json] TARGET [PATH]` */
export const lsCommand: Command = {
  description: [
    "Lists the names in a directory in byte order, one a line. A file or a symbolic link lists as itself.",
    TARGET_HELP,
    "Names that are not printable come out escaped (\\n as \\x0a, a backslash as \\x5c). --null writes them as they are. With --json each name is one JSON object on a line; a name that is not UTF-8 is in nameBase64 instead of name, a target in targetBase64 instead of target.",
  ],
  arguments: { usage: TARGET_USAGE, min: 1, max: 2 },
  options: {
    long: { short: "l", summary: "Show permissions and sizes, and where links point" },
    recursive: { short: "R", summary: "List everything below, by paths" },
    null: { short: "0", summary: "Write raw names, each ended by a NUL byte" },
    json: { summary: "Print a JSON object for each name" },
  },
  examples: [
    {
      line: "tvix ls -l /nix/store/HASH-project/src",
      meaning: "Lists the directory src of an imported project",
    },
    {
      line: "tvix ls -R -0 HASH | xargs -0 -n1 echo",
      meaning: "Hands every path in a store path to another program, whatever the names hold",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { list } = await import("../target/list.js");
  return await list(invocation, host);
}
