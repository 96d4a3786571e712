import type { Command, Host, Invocation } from "../command.js";
import { LIST_ROOT, SERVED_FILES } from "../mount/option-specs.js";
import { TARGET_HELP } from "../target/help.js";

/** `tvix virtiofs [--list-root] [--uid-gid UID:GID] ... SOCKET [TARGET[/PATH]]` */
export const virtiofsCommand: Command = {
  description: [
    "Shows the store to virtual machines as a file system of type virtiofs: every store path under the name it has in /nix/store, or with TARGET only what is in that. No machine can write there. What is imported meanwhile appears.",
    TARGET_HELP,
    "SOCKET is made for QEMU, cloud-hypervisor or another program that speaks vhost-user, by the user who runs this command; a socket left behind by a process that is gone is replaced. A line says when machines can connect, one after the other or several at once. SIGTERM and Ctrl-C close all connections and remove the socket.",
  ],
  arguments: { usage: "SOCKET [TARGET[/PATH]]", min: 0, max: 2, completes: "file" },
  options: {
    socket: { value: "PATH", completes: "file", summary: "SOCKET, as other programs call it" },
    ...LIST_ROOT,
    ...SERVED_FILES,
  },
  examples: [
    {
      line: "tvix virtiofs --list-root /run/tvix.sock",
      meaning: "Waits for machines, which see all store paths",
    },
    {
      line: "tvix virtiofs --store grpc+http://builder:8000 /run/tvix.sock",
      meaning: "Shows them the store of another machine",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { virtiofs } = await import("../mount/virtiofs.js");
  return await virtiofs(invocation, host);
}
