import type { Command, Host, Invocation } from "../command.js";

/** `tvix sign --key-file FILE PATH...` */
export const signCommand: Command = {
  description: [
    "Signs store paths twice: as Nix does, which vouches for the NAR, and their roots, which lets clients of tvix that trust the key use a part of a path without having all of it. The signatures are stored with the path.",
    "The NAR of a path is computed first, where that has not been done before: a path that is not what it is said to be is not signed, and the exit status is 4.",
    "FILE holds a secret key, as tvix key generate prints it.",
  ],
  arguments: { usage: "PATH...", min: 1, max: Number.POSITIVE_INFINITY },
  options: {
    "key-file": { value: "FILE", completes: "file", summary: "The secret key; needed" },
  },
  examples: [
    {
      line: "tvix sign --key-file secret-key /nix/store/HASH-project",
      meaning: "Vouches for a path",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { sign } = await import("../sign/sign.js");
  return await sign(invocation, host);
}
