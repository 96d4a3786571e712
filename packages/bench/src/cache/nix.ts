import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NIX_CONFIGURATION } from "../operations/nix-tool.js";
import { cleanEnvironment } from "../operations/tool.js";
import type { Command } from "../process/measure.js";

/** What is kept of the output of a command that only prepares, in bytes: a list of paths is long. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** The real Nix with stores of its own: that of the machine is neither read nor written. */
export class Nix {
  readonly #folder: string;

  /** @param folder - exists, and is ours */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, "conf"), { recursive: true });
    const configuration = `experimental-features = nix-command\n${NIX_CONFIGURATION}`;
    writeFileSync(join(folder, "conf/nix.conf"), configuration);
  }

  /** A command with an empty home each: Nix remembers there what caches have answered. */
  command(program: "nix" | "nix-store", args: readonly string[]): Command {
    const home = mkdtempSync(join(this.#folder, "home-"));
    const env = cleanEnvironment({
      HOME: home,
      XDG_CACHE_HOME: join(home, ".cache"),
      XDG_DATA_HOME: join(home, ".local"),
      NIX_CONF_DIR: join(this.#folder, "conf"),
      NIX_USER_CONF_FILES: "/dev/null",
      NO_PROXY: "127.0.0.1",
    });
    return { program, args, env };
  }

  /**
   * Runs a command that only prepares.
   *
   * @param input - what it reads
   * @returns what it printed
   * @throws Error when it fails
   */
  output(program: "nix" | "nix-store", args: readonly string[], input?: Uint8Array): string {
    const { env } = this.command(program, args);
    const { error, status, stdout, stderr } = spawnSync(program, args, {
      env: { ...env },
      input,
      encoding: "utf8",
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    if (error !== undefined || status !== 0) {
      throw new Error(`Cannot prepare: ${program} ${args[0]} failed: ${error?.message ?? stderr}`);
    }
    return stdout.trimEnd();
  }
}
