import { execFile, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { removeTree } from "./remove-tree.js";

/** Why the real Nix cannot be asked; `undefined` when it can. A build server must have it. */
export const nixMissing: string | undefined = findNix();

function findNix(): string | undefined {
  // Not `nix-store --version`, which wants to set up the store of the machine.
  if (spawnSync("nix", ["--version"]).status === 0) return undefined;
  if (process.env["CI"] === "true") throw new Error("These tests need Nix (package nix-bin)");
  const reason = "Nix is not installed";
  process.stderr.write(`skipped: ${reason}, so nothing can be compared with it\n`);
  return reason;
}

/** Settings that make Nix work as any user, without a daemon and without the network. */
const SETTINGS = `experimental-features = nix-command
build-users-group =
sandbox = false
substituters =
trusted-public-keys =
require-sigs = false
fsync-metadata = false
`;

/** How many bytes came out of a program, and their SHA-256 in hexadecimal. */
export interface StreamDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** A scratch store of the real Nix, whose paths are those of /nix/store. */
export class ScratchNix {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async create(): Promise<ScratchNix> {
    const directory = await mkdtemp(join(tmpdir(), "tvix-e2e-nix-"));
    await mkdir(join(directory, "conf"));
    await mkdir(join(directory, "home"));
    await writeFile(join(directory, "conf", "nix.conf"), SETTINGS);
    return new ScratchNix(directory);
  }

  /** What `nix-store --add` prints for `path`; rejects when Nix refuses it. */
  async add(path: string, cwd?: string): Promise<string> {
    const { stdout } = await promisify(execFile)("nix-store", [...this.#store, "--add", path], {
      env: this.#env,
      ...(cwd === undefined ? {} : { cwd }),
    });
    return stdout.trim();
  }

  /** Digest of what `nix-store --dump` writes for `path`. */
  async dump(path: string): Promise<StreamDigest> {
    return await digestOutput("nix-store", ["--dump", path], this.#env);
  }

  /** Where the store has put `storePath`. */
  realPath(storePath: string): string {
    return join(this.#directory, "root", storePath);
  }

  async remove(): Promise<void> {
    await removeTree(this.#directory);
  }

  get #store(): readonly string[] {
    return ["--store", join(this.#directory, "root")];
  }

  get #env(): NodeJS.ProcessEnv {
    const { NIX_REMOTE, NIX_STATE_DIR, NIX_STORE_DIR, ...env } = process.env;
    return {
      ...env,
      HOME: join(this.#directory, "home"),
      XDG_CACHE_HOME: join(this.#directory, "home", ".cache"),
      NIX_CONF_DIR: join(this.#directory, "conf"),
      NIX_USER_CONF_FILES: "/dev/null",
    };
  }
}

/** Runs a program and digests its output; rejects when it fails. */
export async function digestOutput(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<StreamDigest> {
  if (program.includes("/") && !existsSync(program)) throw new Error(`${program} does not exist`);
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of child.stdout) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  const status = await ended;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return { bytes, sha256: hash.digest("hex") };
}
