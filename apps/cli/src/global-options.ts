import type { OptionSpecs } from "./command.js";

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: OptionSpecs = {
  "data-dir": {
    value: "DIR",
    completes: "directory",
    summary: "Where the store is kept; see tvix --help for the default",
  },
  store: {
    value: "ADDR",
    summary: "The store to use instead: a daemon, or local:///DIR; see tvix --help",
  },
  "token-file": {
    value: "FILE",
    completes: "file",
    summary: "File with the token for a daemon that asks for one",
  },
  quiet: { short: "q", summary: "Print no progress and no notes, only data and errors" },
  help: { short: "h", summary: "Explain the program or the command" },
  version: { short: "V", summary: "Print the version" },
};
