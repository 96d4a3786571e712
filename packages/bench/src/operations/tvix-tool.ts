import { join } from "node:path";
import { TVIX } from "../paths.js";
import type { Command } from "../process/measure.js";
import { cleanEnvironment, type Tool, versionOf } from "./tool.js";

/** Runs the executable as it is installed. */
export function tvixCommand(...args: string[]): Command {
  return { program: TVIX, args, env: cleanEnvironment({}) };
}

/** `tvix`, with or without compression of what is new. */
export function tvixTool(compression: boolean): Tool {
  const data = (store: string): string => join(store, "data");
  const flags = compression ? [] : ["--no-compression"];
  return {
    id: compression ? "tvix" : "tvix-raw",
    label: compression ? "tvix" : "tvix --no-compression",
    version: versionOf(TVIX, "--version"),
    source: "pnpm build",
    prepare: () => [],
    add: (store, tree) => tvixCommand("import", ...flags, "--data-dir", data(store), tree),
    check: (store) => tvixCommand("check", "--data-dir", data(store)),
    dump: (store, _, storePath) => tvixCommand("nar", "dump", "--data-dir", data(store), storePath),
    content: data,
    printsStorePath: true,
  };
}
