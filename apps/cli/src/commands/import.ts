import type { Command, Host, Invocation } from "../command.js";
import { REFERENCES_FROM, REFERENCES_FROM_HELP } from "../import/references-option.js";
import { SIZE_RULES } from "../import/size-rule.js";

/** `tvix import [--name NAME] [--references-from WHERE] [--dry-run] [--json] PATH...` */
export const importCommand: Command = {
  description: [
    "Stores each PATH, a file, a directory with everything below it, or a symbolic link, and prints its store path: one line for each, in the order of the arguments. It is the path that nix-store --add gives.",
    "The name of a store path is the last part of PATH: 1 to 211 of the characters 0-9 a-z A-Z + - . _ ? =, and not one that ends in .drv. All names are checked before anything is read. Links are not followed; of the permissions only whether the owner may execute a file is kept; sockets, pipes and devices are refused, and so is a directory that holds the store itself.",
    "The size of a directory counts its entries once, as documented, or twice, as tvix and snix do since August 2024: use --directory-size-rule doubled for what they shall read. The store path is the same, the digest of a directory with directories in it is not.",
    ...REFERENCES_FROM_HELP,
    "What the store has already is not stored again. After Ctrl-C the store is sound, and running the command again goes on where it was. While another process writes to the same store, this one waits.",
    "With --json each path is one JSON object on a line: path (pathBase64 where it is not UTF-8), storePath, root, narHash, narSize, references, entries (files, directories and links), filesRead, bytesRead, new and known. Files that have not changed since the last import are not read.",
  ],
  arguments: { usage: "PATH...", min: 1, max: Number.POSITIVE_INFINITY, completes: "file" },
  options: {
    name: { value: "NAME", summary: "Name in the store path, for a single PATH" },
    "directory-size-rule": {
      value: "RULE",
      completes: SIZE_RULES,
      summary: `${SIZE_RULES.join(" or ")}; ${SIZE_RULES[0]} by default`,
    },
    "references-from": REFERENCES_FROM,
    "no-compression": { summary: "Store new content as it is; a daemon decides that by itself" },
    "dry-run": { summary: "Print the store path and what would be new; write nothing" },
    json: { summary: "Print a JSON object for each path" },
  },
  examples: [
    { line: "tvix import ./project", meaning: "Prints /nix/store/HASH-project" },
    {
      line: "tvix import --name hello-src --dry-run .",
      meaning: "Tells the store path of this directory, and what storing it would cost",
    },
    {
      line: "nix-store -qR ./result | tvix import --references-from - ./build",
      meaning: "Records which of these paths the files in ./build refer to",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { importPaths } = await import("../import/import-paths.js");
  return await importPaths(invocation, host);
}
