import type { Command, Host, Invocation } from "../command.js";

/** `tvix unmount [--lazy | --force] MOUNTPOINT` */
export const unmountCommand: Command = {
  description: [
    "Unmounts what tvix mount has mounted at MOUNTPOINT, whether its process is still there or not. The process ends by itself.",
    "A mount that is in use stays, and the message says who uses it.",
  ],
  arguments: { usage: "MOUNTPOINT", min: 1, max: 1, completes: "file" },
  options: {
    lazy: { short: "l", summary: "Take it away at once, and let those who use it finish" },
    force: { short: "f", summary: "Take it away at once, and give errors to those who use it" },
  },
  examples: [{ line: "tvix unmount /mnt/store", meaning: "Unmounts /mnt/store" }],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { unmount } = await import("../mount/unmount.js");
  return await unmount(invocation, host);
}
