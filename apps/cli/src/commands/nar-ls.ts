import type { Command, Host, Invocation } from "../command.js";

/** `tvix nar ls [--json] FILE|-|TARGET` */
export const narLsCommand: Command = {
  description: [
    "Lists what is in a NAR, in its order: permissions, size, where in the NAR the content begins, and path. The NAR is in FILE, on standard input for -, or the one of what is in the store: /nix/store/HASH-NAME, HASH or a digest, with a path inside behind a slash. Compressed ones are decompressed.",
    "--json prints the listing that binary caches keep as HASH.ls, byte for byte as Nix writes it.",
  ],
  arguments: { usage: "FILE|-|TARGET", min: 1, max: 1, completes: "file" },
  options: {
    json: { summary: "Print a listing as binary caches keep it" },
  },
  examples: [
    {
      line: "curl -s https://cache.example.org/nar/HASH.nar.xz | tvix nar ls -",
      meaning: "Lists a NAR without storing it",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { listNar } = await import("../nar/list-nar.js");
  return await listNar(invocation, host);
}
