import type { Command, Host, Invocation } from "../command.js";
import { TARGET_HELP } from "../target/help.js";

/** `tvix export [--writable] [--hardlink] [--json] TARGET [PATH] DEST` */
export const exportCommand: Command = {
  description: [
    "Writes a file, directory or symbolic link of the store to DEST, where there must be nothing yet. Every byte is verified. It is made beside DEST and moved there when it is complete: after a failure or Ctrl-C nothing is left.",
    TARGET_HELP,
    "Permissions are those of a Nix store, 0444, and 0555 for directories and executable files; with --writable they are those of new files. Times are those of the export. Links are written as they are, wherever they lead.",
    "Large files that are equal are copied by the file system, which may let them share their blocks. With --hardlink all equal files become one with several names: what is written to one is in all of them.",
    "With --json the outcome is one JSON object: path, root, entries, files and bytes.",
  ],
  arguments: { usage: "TARGET[/PATH] [PATH] DEST", min: 2, max: 3, completes: "file" },
  options: {
    writable: { summary: "Let the owner write what is exported" },
    hardlink: { summary: "Make equal files one with several names" },
    json: { summary: "Print a JSON object" },
  },
  examples: [
    {
      line: "tvix export --writable /nix/store/HASH-project ./project",
      meaning: "Makes a copy to work on",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { exportTarget } = await import("../export/export-target.js");
  return await exportTarget(invocation, host);
}
