import type { Command, Host, Invocation } from "../command.js";

/** `tvix nar dump PATH` */
export const narDumpCommand: Command = {
  description: [
    "Writes the NAR of PATH to standard output: the bytes that nix-store --dump PATH writes.",
    [
      "PATH is one of",
      "  /nix/store/HASH-NAME, HASH-NAME or HASH    a store path",
      "  b3:BASE64, blake3-BASE64 or 64 hex digits  a directory or file by its digest",
      "  anything else                              a file, directory or link on disk",
      "Something inside a store path or a directory can follow after a slash. A path under /nix/store that is not in the store is taken from disk. Write ./NAME for a file on disk whose name looks like a store path.",
    ].join("\n"),
  ],
  arguments: { usage: "PATH", min: 1, max: 1, completes: "file" },
  options: {},
  examples: [
    {
      line: "tvix nar dump ./project | sha256sum",
      meaning: "Hashes the NAR of a directory on disk",
    },
    {
      line: "tvix nar dump /nix/store/HASH-project > project.nar",
      meaning: "Writes the NAR of an imported project to a file",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { dumpNar } = await import("../nar/dump-nar.js");
  return await dumpNar(invocation, host);
}
