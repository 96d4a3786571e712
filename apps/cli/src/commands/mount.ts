import type { Command, Host, Invocation } from "../command.js";
import { LIST_ROOT, SERVED_FILES } from "../mount/option-specs.js";
import { TARGET_HELP } from "../target/help.js";

/** `tvix mount [--list-root] [--allow-other] ... MOUNTPOINT [TARGET[/PATH]]` */
export const mountCommand: Command = {
  description: [
    "Shows the store as files and directories at MOUNTPOINT, an existing directory: every store path under the name it has in /nix/store, or with TARGET only what is in that. Nobody can write there. What is imported while it is mounted appears.",
    TARGET_HELP,
    "Root mounts by itself, others need the package fuse3. The command ends with status 0 as soon as the files can be read; a process in the background goes on, and writes down in its log what fails. It ends by itself when MOUNTPOINT is unmounted, by tvix unmount or in any other way; SIGTERM, or Ctrl-C with --foreground, unmounts it, and a second one ends the process at once.",
    "Where a process of an earlier tvix mount was killed, the mount it left behind is replaced.",
  ],
  arguments: { usage: "MOUNTPOINT [TARGET[/PATH]]", min: 1, max: 2, completes: "file" },
  options: {
    ...LIST_ROOT,
    "allow-other": { summary: "Let other users in, too; for users, /etc/fuse.conf must permit it" },
    ...SERVED_FILES,
    foreground: { short: "f", summary: "Do not go into the background" },
    "log-file": {
      value: "FILE",
      completes: "file",
      summary:
        "Where the process in the background says what fails; by default in /var/log/tvix or ~/.local/state/tvix",
    },
  },
  examples: [
    {
      line: "tvix mount --list-root /mnt/store",
      meaning: "Shows all store paths in /mnt/store",
    },
    {
      line: "tvix mount --foreground ~/project /nix/store/HASH-project",
      meaning: "Shows an imported project until Ctrl-C",
    },
    {
      line: "tvix mount --store grpc+http://builder:8000 --uid-gid 1000:100 /mnt/store",
      meaning: "Shows the store of another machine, as files of one user",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { mount } = await import("../mount/mount.js");
  return await mount(invocation, host);
}
