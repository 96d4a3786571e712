import type { Command, Host, Invocation } from "../command.js";

/** `tvix copy STORE STORE [PATH...]`, `tvix copy --from ADDR|--to ADDR PATH...` */
export const copyCommand: Command = {
  description: [
    "Copies store paths, with everything that they refer to, from another place into the store, or from the store to another place; or, where both are given, from one place to the other. Without PATHs all that a store has. Paths that are there already are skipped, so that the same command goes on where it was interrupted.",
    [
      "ADDR is one of",
      "  http://HOST/..., https://HOST/...   a binary cache of Nix",
      "  grpc+http://HOST:PORT, grpc+unix:///PATH, local:///DIR",
      "                                      a store of tvix",
    ].join("\n"),
    "With --dry-run nothing is copied: it says what is missing. With --no-closure what PATHs refer to is left aside.",
    "A path is published after what it refers to, and only when everything about it was verified: its NAR hash and size, its content address where it has one, and what a cache states of its files. From a cache or store of tvix only what is missing is fetched, file by file.",
    "What comes from elsewhere has to be signed by a trusted key, unless its path follows from its content: keys are given by --trusted-public-keys, $TVIX_TRUSTED_PUBLIC_KEYS or ?trusted-public-keys= in ADDR. Where a trusted key has signed the root of a path (tvix sign) its NAR is not computed again; --require-root-signatures takes no others.",
    "To a binary cache, what it has is not sent again, and what fails in passing is tried again. A cache that asks who comes gets a user name and password of ADDR (http://USER:PASSWORD@HOST), or the token of --cache-token-file, which is never sent to another server. $NODE_EXTRA_CA_CERTS names authorities for https besides those that are known.",
    "With --path-info-json the paths come from a store of Nix on this machine: FILE, or standard input for -, is what nix path-info --json -r prints or what exportReferencesGraph writes. Without PATHs all that it names are copied; signatures, deriver and content address are kept, and the NAR hash is compared with what is read.",
    "With --json each path is one JSON object on a line: path, copied, narSize and bytesMoved; of a dry run path, missing and narSize.",
  ],
  arguments: { usage: "[STORE STORE] PATH...", min: 0, max: Number.POSITIVE_INFINITY },
  options: {
    from: { value: "ADDR", summary: "Copy from this cache or store" },
    to: { value: "ADDR", summary: "Copy to this cache or store" },
    "path-info-json": {
      value: "FILE",
      completes: "file",
      summary: "Copy from the disk what this JSON of Nix describes",
    },
    root: {
      value: "DIR",
      completes: "directory",
      summary: "Look for /nix/store below DIR, for --path-info-json",
    },
    "trusted-public-keys": {
      value: "KEYS",
      repeats: true,
      summary: "Believe what these keys have signed: NAME:BASE64, with spaces between them",
    },
    "require-root-signatures": { summary: "Take only what a trusted key has signed the root of" },
    "no-closure": { summary: "Copy PATHs alone" },
    "dry-run": { summary: "Say what is missing, copy nothing" },
    "no-check-sigs": { summary: "Believe whoever answers" },
    compression: {
      value: "NAME",
      completes: ["none", "zstd", "gzip", "br", "xz"],
      summary: "Send NARs to a binary cache as none (the default), zstd, gzip, br or xz",
    },
    "cache-token-file": {
      value: "FILE",
      completes: "file",
      summary: "Show the token in FILE to the binary cache; not the one of --token-file",
    },
    jobs: {
      short: "j",
      value: "N",
      summary: "Copy N paths at a time; 64 between stores and 8 otherwise by default",
    },
    json: { summary: "Print a JSON object for each path" },
  },
  examples: [
    {
      line: 'tvix copy --from https://cache.example.org --trusted-public-keys "$KEY" /nix/store/HASH-hello',
      meaning: "Takes a path and all that it needs from a binary cache",
    },
    {
      line: "nix path-info --json -r nixpkgs#hello | tvix copy --path-info-json -",
      meaning: "Imports a closure that Nix has, with its signatures",
    },
    {
      line: "tvix copy --to https://cache.example.org --compression zstd --cache-token-file token /nix/store/HASH-hello",
      meaning: "Uploads to a binary cache",
    },
    {
      line: "tvix copy local:///var/lib/tvix grpc+http://build.example.org:8000",
      meaning: "Sends all that another store lacks",
    },
    {
      line: "tvix copy --to grpc+http://build.example.org:8000 /nix/store/HASH-hello",
      meaning: "Sends what another store lacks of them",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { copy } = await import("../copy/copy.js");
  return await copy(invocation, host);
}
