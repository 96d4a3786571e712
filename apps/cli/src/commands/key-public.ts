import type { Command, Host, Invocation } from "../command.js";

/** `tvix key public` */
export const keyPublicCommand: Command = {
  description: [
    "Reads a secret key from standard input and prints its public key, which others put into trusted-public-keys of Nix.",
  ],
  arguments: { usage: "", min: 0, max: 0 },
  options: {},
  examples: [
    {
      line: "tvix key public < secret-key",
      meaning: "Prints the public key of a key that tvix key generate made",
    },
  ],
  run,
};

async function run(_: Invocation, host: Host): Promise<number> {
  const { printPublicKey } = await import("../key/public-key.js");
  return await printPublicKey(host);
}
