import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const REPOSITORY_ROOT = join(import.meta.dirname, "../../../..");
const PACKED_FOLDERS = ["protos", "packages/castore", "packages/store"];

/** What `pnpm pack` made of one package. */
export interface PackedPackage {
  readonly name: string;
  readonly tarball: string;
  /** Paths inside the package. */
  readonly files: readonly string[];
}

/** A folder outside of the workspace into which the packed packages were installed. */
export class PackedInstall {
  readonly packages: readonly PackedPackage[];
  readonly #directory: string;

  private constructor(directory: string, packages: readonly PackedPackage[]) {
    this.#directory = directory;
    this.packages = packages;
  }

  /**
   * Packs the libraries and installs the tarballs in an empty folder, with npm and without install
   * scripts, so that no native addon is compiled. Other packages come from the registry.
   */
  static async create(): Promise<PackedInstall> {
    const directory = await mkdtemp(join(tmpdir(), "tvix-e2e-library-"));
    const packages: PackedPackage[] = [];
    for (const folder of PACKED_FOLDERS) packages.push(await pack(folder, directory));
    const install = new PackedInstall(directory, packages);
    await install.#install();
    return install;
  }

  /**
   * Copies sources of ours to the folder, compiles them strictly against the installed packages and
   * leaves the JavaScript beside them.
   *
   * @param types - names of `@types` packages the program may see
   * @throws with what the compiler prints, when it finds a mistake
   */
  async compile(files: readonly string[], types: readonly string[]): Promise<void> {
    for (const file of files) await cp(file, join(this.#directory, basename(file)));
    const compilerOptions = {
      target: "es2023",
      lib: ["es2023", "esnext.disposable", "dom"],
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      types,
    };
    const project = { compilerOptions, files: files.map((file) => basename(file)) };
    await writeFile(join(this.#directory, "tsconfig.json"), JSON.stringify(project));
    await this.#exec(join(REPOSITORY_ROOT, "node_modules/.bin/tsc"), [
      "--project",
      "tsconfig.json",
    ]);
  }

  /** Runs a compiled program with Node and returns its standard output. */
  async run(program: string): Promise<string> {
    return this.#exec(process.execPath, [program]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #install(): Promise<void> {
    const tarballs = this.packages.map(({ name, tarball }) => [name, `file:${tarball}`]);
    const manifest = {
      name: "consumer",
      private: true,
      type: "module",
      dependencies: Object.fromEntries(tarballs),
      devDependencies: { "@types/node": "^20.19.0" },
    };
    await writeFile(join(this.#directory, "package.json"), JSON.stringify(manifest));
    const quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    await this.#exec("npm", ["install", "--ignore-scripts", "--prefer-offline", ...quiet]);
  }

  async #exec(program: string, args: readonly string[]): Promise<string> {
    try {
      return (await run(program, args, { cwd: this.#directory })).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }
}

async function pack(folder: string, into: string): Promise<PackedPackage> {
  const destination = join(into, "tarballs");
  await mkdir(destination, { recursive: true });
  const args = ["pack", "--json", "--pack-destination", destination];
  const { stdout } = await run("pnpm", args, { cwd: join(REPOSITORY_ROOT, folder) });
  const packed = JSON.parse(stdout) as PackReport;
  return {
    name: packed.name,
    tarball: packed.filename,
    files: packed.files.map(({ path }) => path),
  };
}

interface PackReport {
  readonly name: string;
  /** Absolute path of the tarball. */
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}
