import type { OptionSpecs } from "./command.js";

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: OptionSpecs = {
  "data-dir": {
    value: "DIR",
    completes: "directory",
    summary: "Where the store is kept; see tvix --help for the default",
  },
  quiet: { short: "q", summary: "Print no progress and no notes, only data and errors" },
  help: { short: "h", summary: "Explain the program or the command" },
  version: { short: "V", summary: "Print the version" },
};
