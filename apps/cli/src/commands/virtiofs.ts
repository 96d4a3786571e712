import type { Command, Host, Invocation } from "../command.js";
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
    "list-root": { summary: "Let the whole store be listed; otherwise its paths have to be known" },
    "uid-gid": { value: "UID:GID", summary: "Whom all files belong to; 0:0 by default" },
    "no-xattr": { summary: "Do not show digests as extended attributes (user.tvix.castore.*)" },
    threads: {
      value: "N",
      summary: "Threads that read and verify content of a data directory; by default up to 4",
    },
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
