import { createHash } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../cli/remove-tree.js";
import { type ProgramOutcome, runProgram } from "../daemon/run.js";

/**
 * Settings that make Nix work as any user, without a daemon of its own and without the network. Builds in
 * a store that is not at /nix/store always run in a chroot, for which the last but two say what is in it.
 */
const SETTINGS = `experimental-features = nix-command ca-derivations
build-users-group =
sandbox = false
sandbox-paths = /bin=/usr/bin /usr /lib=/usr/lib /lib64=/usr/lib64
substituters =
trusted-public-keys =
require-sigs = false
fsync-metadata = false
connect-timeout = 10
stalled-download-timeout = 20
`;

/** How long a command of Nix may take: what hangs is a failure of the server. */
const COMMAND_MS = 150_000;

export interface NixOptions {
  /** Settings on top of those of the rig. */
  readonly config?: Readonly<Record<string, string>>;
  /** What the command reads from standard input. */
  readonly input?: Uint8Array;
}

/** The real Nix with a directory of its own: scratch stores, keys, inputs. Nothing of it touches /nix. */
export class NixRig implements AsyncDisposable {
  readonly directory: string;
  #homes = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<NixRig> {
    const directory = await mkdtemp(join(tmpdir(), "tvix-e2e-cache-"));
    await mkdir(join(directory, "conf"));
    await writeFile(join(directory, "conf", "nix.conf"), SETTINGS);
    return new NixRig(directory);
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** A scratch store, made on first use. Its paths are those of /nix/store. */
  store(name: string): NixStore {
    return new NixStore(this, this.path("stores", name));
  }

  /**
   * Runs a program of Nix to its end, however it ends, with an empty home: Nix remembers there what
   * caches have answered, some of it for ever.
   */
  async run(
    program: string,
    args: readonly string[],
    options: NixOptions = {},
  ): Promise<ProgramOutcome> {
    const home = this.path("homes", String(this.#homes++));
    await mkdir(home, { recursive: true });
    const config = Object.entries(options.config ?? {}).map(
      ([key, value]) => `${key} = ${value}\n`,
    );
    return await runProgram(program, args, {
      env: {
        HOME: home,
        XDG_CACHE_HOME: join(home, ".cache"),
        XDG_DATA_HOME: join(home, ".local"),
        NIX_CONF_DIR: this.path("conf"),
        NIX_USER_CONF_FILES: "/dev/null",
        NIX_CONFIG: config.join(""),
        NIX_REMOTE: "",
        NO_PROXY: "127.0.0.1",
      },
      timeoutMs: COMMAND_MS,
      ...(options.input === undefined ? {} : { input: options.input }),
    });
  }

  /** {@link run} for what must succeed: its standard output. */
  async output(
    program: string,
    args: readonly string[],
    options: NixOptions = {},
  ): Promise<Buffer> {
    const { status, stdout, stderr } = await this.run(program, args, options);
    if (status === 0) return stdout;
    throw new Error(`${program} ${args.join(" ")} ended with ${status ?? "a signal"}: ${stderr}`);
  }

  /** {@link output} as text without its last newline. */
  async text(program: string, args: readonly string[], options: NixOptions = {}): Promise<string> {
    return (await this.output(program, args, options)).toString("utf8").replace(/\n$/, "");
  }

  /** Makes a pair of keys: the file of the secret one and the text of the public one. */
  async key(name: string): Promise<NixKey> {
    const secretFile = this.path(`${name}.secret`);
    const secret = await this.output("nix", ["key", "generate-secret", "--key-name", name]);
    await writeFile(secretFile, secret, { mode: 0o600 });
    const publicKey = await this.text("nix", ["key", "convert-secret-to-public"], {
      input: secret,
    });
    return { secretFile, publicKey };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.directory);
  }
}

export interface NixKey {
  readonly secretFile: string;
  /** `NAME:BASE64`. */
  readonly publicKey: string;
}

/** A scratch store of the real Nix. */
export class NixStore {
  readonly #rig: NixRig;
  readonly #root: string;

  constructor(rig: NixRig, root: string) {
    this.#rig = rig;
    this.#root = root;
  }

  /** The arguments that make a command use this store. */
  get args(): readonly string[] {
    return ["--store", this.#root];
  }

  /** Where the store has put `storePath`. */
  realPath(storePath: string): string {
    return join(this.#root, storePath);
  }

  async text(program: string, args: readonly string[], options: NixOptions = {}): Promise<string> {
    return await this.#rig.text(program, [...args, ...this.args], options);
  }

  async run(
    program: string,
    args: readonly string[],
    options: NixOptions = {},
  ): Promise<ProgramOutcome> {
    return await this.#rig.run(program, [...args, ...this.args], options);
  }

  /** All paths that `storePath` needs, itself included, sorted. */
  async closure(storePath: string): Promise<readonly string[]> {
    const paths = await this.text("nix-store", ["--query", "--requisites", storePath]);
    return paths.split("\n").sort();
  }

  /** SHA-256 of what `nix-store --dump` writes for `storePath` as it lies on the disk, in hexadecimal. */
  async dumpHash(storePath: string): Promise<string> {
    const nar = await this.#rig.output("nix-store", ["--dump", this.realPath(storePath)]);
    return createHash("sha256").update(nar).digest("hex");
  }

  /** What the store knows of `storePath`. */
  async info(storePath: string, options: NixOptions = {}): Promise<NixPathInfo> {
    const [info] = await this.infos([storePath], options);
    if (info === undefined) throw new Error(`No path info of ${storePath}`);
    return info;
  }

  async infos(
    storePaths: readonly string[],
    options: NixOptions = {},
  ): Promise<readonly NixPathInfo[]> {
    const text = await this.text("nix", ["path-info", "--json", ...storePaths], options);
    return JSON.parse(text) as readonly NixPathInfo[];
  }
}

/** An element of what `nix path-info --json` prints. */
export interface NixPathInfo {
  readonly path: string;
  readonly narHash: string;
  readonly narSize: number;
  readonly references: readonly string[];
  readonly deriver?: string;
  readonly signatures?: readonly string[];
  readonly ca?: string;
}
