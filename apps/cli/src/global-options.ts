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
    summary: "The store to use instead: a daemon, local:///DIR, or others; see tvix --help",
  },
  "blob-service-addr": { value: "ADDR", summary: "Where blobs are, if not in the store" },
  "directory-service-addr": {
    value: "ADDR",
    summary: "Where directories are, if not in the store",
  },
  "path-info-service-addr": {
    value: "ADDR",
    summary: "Where it is known which store paths there are, if not in the store",
  },
  composition: {
    value: "FILE",
    completes: "file",
    summary: "The stores to use together: TOML, see tvix config check --help",
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
