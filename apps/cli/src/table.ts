import type { Command } from "./command.js";

/** A command as the program knows it before it is loaded. */
export interface TableEntry {
  /** One word, or two where a command has several forms. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/**
 * All commands, in the order of `tvix --help`. A command's module is loaded when it is used, so
 * that the others cost nothing at start.
 */
export const COMMANDS: readonly TableEntry[] = [
  {
    name: "import",
    summary: "Store files and directories and print their store paths",
    load: async () => (await import("./commands/import.js")).importCommand,
  },
  {
    name: "ls",
    summary: "List a directory in the store",
    load: async () => (await import("./commands/ls.js")).lsCommand,
  },
  {
    name: "tree",
    summary: "Draw everything below a directory in the store",
    load: async () => (await import("./commands/tree.js")).treeCommand,
  },
  {
    name: "cat",
    summary: "Print the content of a file in the store",
    load: async () => (await import("./commands/cat.js")).catCommand,
  },
  {
    name: "export",
    summary: "Write a part of the store to the file system",
    load: async () => (await import("./commands/export.js")).exportCommand,
  },
  {
    name: "info",
    summary: "Tell about the store, or about one store path",
    load: async () => (await import("./commands/info.js")).infoCommand,
  },
  {
    name: "nar dump",
    summary: "Write the NAR of a store path, or of a file or directory on disk",
    load: async () => (await import("./commands/nar-dump.js")).narDumpCommand,
  },
  {
    name: "nar import",
    summary: "Store what a NAR holds",
    load: async () => (await import("./commands/nar-import.js")).narImportCommand,
  },
  {
    name: "nar ls",
    summary: "List what is in a NAR, and where",
    load: async () => (await import("./commands/nar-ls.js")).narLsCommand,
  },
  {
    name: "nar hash",
    summary: "Print the SHA-256 of NARs",
    load: async () => (await import("./commands/nar-hash.js")).narHashCommand,
  },
  {
    name: "narinfo",
    summary: "Print what a binary cache says about store paths",
    load: async () => (await import("./commands/narinfo.js")).narinfoCommand,
  },
  {
    name: "verify",
    summary: "Compare store paths with what is stated about them",
    load: async () => (await import("./commands/verify.js")).verifyCommand,
  },
  {
    name: "sign",
    summary: "Vouch for store paths with a key",
    load: async () => (await import("./commands/sign.js")).signCommand,
  },
  {
    name: "key generate",
    summary: "Make a key that signs store paths",
    load: async () => (await import("./commands/key-generate.js")).keyGenerateCommand,
  },
  {
    name: "key public",
    summary: "Print the public key of a secret key",
    load: async () => (await import("./commands/key-public.js")).keyPublicCommand,
  },
  {
    name: "copy",
    summary: "Copy store paths and all they need from or to a cache or store",
    load: async () => (await import("./commands/copy.js")).copyCommand,
  },
  {
    name: "check",
    summary: "Verify every byte and every reference in the store",
    load: async () => (await import("./commands/check.js")).checkCommand,
  },
  {
    name: "config check",
    summary: "Check a file that puts stores together",
    load: async () => (await import("./commands/config-check.js")).configCheckCommand,
  },
  {
    name: "config print",
    summary: "Print which stores are used",
    load: async () => (await import("./commands/config-print.js")).configPrintCommand,
  },
  {
    name: "daemon",
    summary: "Serve the store by gRPC to this machine or others",
    load: async () => (await import("./commands/daemon.js")).daemonCommand,
  },
  {
    name: "mount",
    summary: "Show the store as files and directories",
    load: async () => (await import("./commands/mount.js")).mountCommand,
  },
  {
    name: "unmount",
    summary: "Unmount a store that is mounted",
    load: async () => (await import("./commands/unmount.js")).unmountCommand,
  },
  {
    name: "virtiofs",
    summary: "Show the store to virtual machines as a file system",
    load: async () => (await import("./commands/virtiofs.js")).virtiofsCommand,
  },
  {
    name: "completion",
    summary: "Print a completion script for bash, zsh or fish",
    load: async () => (await import("./commands/completion.js")).completionCommand,
  },
];
