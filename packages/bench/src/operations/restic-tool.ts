import { join } from "node:path";
import type { Command } from "../process/measure.js";
import { cleanEnvironment, type Tool, versionOf } from "./tool.js";

/** `restic` with its default settings. */
export function resticTool(): Tool {
  const restic = (store: string, ...args: string[]): Command => ({
    program: "restic",
    args,
    env: cleanEnvironment({
      HOME: join(store, "home"),
      RESTIC_REPOSITORY: join(store, "repository"),
      RESTIC_CACHE_DIR: join(store, "cache"),
      RESTIC_PASSWORD: "bench",
    }),
  });
  return {
    id: "restic",
    label: "restic",
    version: versionOf("restic", "version"),
    source: "Debian package restic",
    prepare: (store) => [restic(store, "init")],
    add: (store, tree) => restic(store, "backup", tree),
    check: (store) => restic(store, "check", "--read-data"),
    content: (store) => join(store, "repository"),
    printsStorePath: false,
  };
}
