import type { Command, Host, Invocation } from "../command.js";

/** `tvix narinfo PATH...` */
export const narinfoCommand: Command = {
  description: [
    "Prints what the binary cache of tvix daemon says about each PATH, in the words of Nix: where its NAR is, its hash and size, what it refers to, who has signed it. Signatures that a daemon adds on the spot are not among them.",
  ],
  arguments: { usage: "PATH...", min: 1, max: Number.POSITIVE_INFINITY },
  options: {},
  examples: [
    {
      line: "tvix narinfo /nix/store/HASH-project",
      meaning: "Prints StorePath, URL, NarHash and more",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { printNarinfo } = await import("../info/narinfo.js");
  return await printNarinfo(invocation, host);
}
