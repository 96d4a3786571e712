import type { OptionSpec } from "../command.js";

/** The option of `tvix import` and `tvix nar import` that makes them look for references. */
export const REFERENCES_FROM: OptionSpec = {
  value: "WHERE",
  repeats: true,
  completes: "file",
  summary: "Find references to these store paths: PATH, FILE with a list, -, or store for all",
};

/** What the help of both commands says about it. */
export const REFERENCES_FROM_HELP: readonly string[] = [
  [
    "With --references-from the content is searched for store paths, as Nix does after a build: for their hashes, in files, names and link targets. Those that occur become the references of the new path; each must be in the store. As in Nix, they take part in the hash of the new path. WHERE is one of",
    "  /nix/store/HASH-NAME   this store path; HASH-NAME will do",
    "  FILE                   the store paths in FILE, one on each line",
    "  -                      the same on standard input: from nix-store -qR, say",
    "  store                  every path that the store knows; ./store is a file",
    "Several have commas between them, or are given by several options.",
  ].join("\n"),
  "Content cannot know the hash that follows from it, so that it does not refer to itself, except where it came from a store path of the same name that Nix computed without it (nix store make-content-addressed): when that path is among those that are looked for, the content keeps it.",
];
