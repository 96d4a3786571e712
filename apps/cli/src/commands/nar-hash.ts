import type { Command, Host, Invocation } from "../command.js";

/** `tvix nar hash [--format FORMAT] PATH...` */
export const narHashCommand: Command = {
  description: [
    "Prints the SHA-256 of the NAR of each PATH: a store path or digest as in tvix nar dump, or a file, directory or link on disk. For - it is the NAR on standard input, which is decompressed and checked. What is in the store is read, and every byte of it verified.",
  ],
  arguments: { usage: "PATH...|-", min: 1, max: Number.POSITIVE_INFINITY, completes: "file" },
  options: {
    format: {
      value: "FORMAT",
      completes: ["sri", "nixbase32", "hex", "base64"],
      summary: "sri (by default), nixbase32, hex or base64",
    },
    json: { summary: "Print a JSON object for each PATH: path and narHash" },
  },
  examples: [
    {
      line: "tvix nar hash --format nixbase32 ./project",
      meaning: "Prints what nix-hash --type sha256 --base32 prints",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { hashNar } = await import("../nar/hash-nar.js");
  return await hashNar(invocation, host);
}
