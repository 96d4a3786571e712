/** How the arguments of every command that reads from the store are written. */
export const TARGET_USAGE = "TARGET[/PATH] [PATH]";

/** What they mean. */
export const TARGET_HELP: string = [
  "TARGET is one of",
  "  /nix/store/HASH-NAME, HASH-NAME or HASH    a store path",
  "  b3:BASE64, blake3-BASE64 or 64 hex digits  a directory or file by its digest",
  "PATH leads to something inside; it may follow TARGET after a slash or stand by itself. Symbolic links are not followed.",
].join("\n");
