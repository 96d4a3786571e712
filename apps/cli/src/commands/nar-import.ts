import type { Command, Host, Invocation } from "../command.js";
import { REFERENCES_FROM, REFERENCES_FROM_HELP } from "../import/references-option.js";

/** `tvix nar import [--name NAME [--references-from WHERE]] FILE|-` */
export const narImportCommand: Command = {
  description: [
    "Stores the tree that the NAR in FILE, or on standard input for -, stands for, and prints the digest of its root: what tvix ls and tvix cat take. A NAR compressed by gzip, xz, zstd or bzip2 is decompressed. Nothing is stored under a root when the NAR is damaged or has bytes behind its end.",
    "With --name it becomes a store path, the one that nix-store --add gives to a tree of that name, which is printed.",
    ...REFERENCES_FROM_HELP,
    "--json prints one object: storePath and references with --name, root, narHash and narSize.",
  ],
  arguments: { usage: "FILE|-", min: 1, max: 1, completes: "file" },
  options: {
    name: { value: "NAME", summary: "Make it a store path of this name" },
    "references-from": REFERENCES_FROM,
    json: { summary: "Print one JSON object" },
  },
  examples: [
    {
      line: "nix-store --dump ./project | tvix nar import --name project -",
      meaning: "Prints /nix/store/HASH-project",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { importNar } = await import("../nar/import-nar.js");
  return await importNar(invocation, host);
}
