import type { Command, Host, Invocation } from "../command.js";

/** `tvix key generate NAME` */
export const keyGenerateCommand: Command = {
  description: [
    "Makes a key that signs store paths and prints it: the secret key, as nix-store --generate-binary-cache-key and nix key generate-secret write it. Keep it where nobody else can read it: tvix daemon --signing-key FILE signs with it what the binary cache serves.",
    "NAME is what the signatures carry. A number at its end tells a later key of the same cache apart: cache.example.org-1.",
  ],
  arguments: { usage: "NAME", min: 1, max: 1 },
  options: {},
  examples: [
    {
      line: "(umask 077; tvix key generate cache.example.org-1 > secret-key)",
      meaning: "Writes a key to a file that only its owner can read",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { generateKey } = await import("../key/generate-key.js");
  return await generateKey(invocation, host);
}
