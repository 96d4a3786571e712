import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "../process/measure.js";
import { cleanEnvironment, type Tool, versionOf } from "./tool.js";

/**
 * Settings of a store that one user owns alone. That nothing is flushed to disk makes Nix faster;
 * it is what Nix does on the machines of its users for everything but the database.
 */
export const NIX_CONFIGURATION = `build-users-group =
sandbox = false
substituters =
trusted-public-keys =
require-sigs = false
fsync-metadata = false
`;

/** `nix-store` with a store of its own: the real one of the machine is neither read nor written. */
export function nixTool(): Tool {
  const nixStore = (store: string, ...args: string[]): Command => ({
    program: "nix-store",
    args: ["--store", join(store, "root"), ...args],
    env: cleanEnvironment({
      HOME: join(store, "home"),
      XDG_CACHE_HOME: join(store, "home/.cache"),
      NIX_CONF_DIR: join(store, "conf"),
      NIX_USER_CONF_FILES: "/dev/null",
    }),
  });
  return {
    id: "nix",
    label: "nix-store",
    version: versionOf("nix-store", "--version"),
    source: "Debian package nix-bin",
    prepare: (store) => {
      mkdirSync(join(store, "conf"), { recursive: true });
      mkdirSync(join(store, "home"), { recursive: true });
      writeFileSync(join(store, "conf/nix.conf"), NIX_CONFIGURATION);
      return [];
    },
    add: (store, tree) => nixStore(store, "--add", tree),
    check: (store) => nixStore(store, "--verify", "--check-contents"),
    dump: (store, tree) => nixStore(store, "--dump", tree),
    content: (store) => join(store, "root"),
    printsStorePath: true,
  };
}
