import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runProgram } from "./run-program.js";
import { unpackDependency } from "./unpacked-package.js";
import { REPOSITORY_ROOT } from "./workspace.js";

/** Something that is no npm package, and the Debian package that brings it. */
export type DebianNeed = ProgramNeed | PythonModuleNeed | UnpackedNeed;

interface ProgramNeed extends NeededPackage {
  /** Name of the executable, looked for on PATH. */
  readonly program: string;
}

interface PythonModuleNeed extends NeededPackage {
  /** Name of the module, as it is imported. */
  readonly pythonModule: string;
}

interface UnpackedNeed extends NeededPackage {
  /** Folder below {@link UNPACKED_FOLDER} with what the package depends on. It is not installed. */
  readonly unpacked: string;
}

interface NeededPackage {
  readonly debianPackage: string;
  /** What cannot be done without it. */
  readonly purpose: string;
}

/** The Python that Debian packages of modules are for; the one on PATH may be another. */
const DEBIAN_PYTHON = "/usr/bin/python3";

/** Where packages are unpacked that are not installed. */
const UNPACKED_FOLDER: string = join(REPOSITORY_ROOT, "node_modules/.cache");

/** What the end-to-end tests compare with or run in. */
export const TEST_NEEDS: readonly DebianNeed[] = [
  {
    program: "nix-store",
    debianPackage: "nix-bin",
    purpose: "comparing store paths and NARs with the real Nix",
  },
  {
    program: "chromium",
    debianPackage: "chromium",
    purpose: "running the pure parts and gRPC-Web in a browser",
  },
  { program: "curl", debianPackage: "curl", purpose: "calling the daemon as anyone would" },
  {
    pythonModule: "grpc",
    debianPackage: "python3-grpcio",
    purpose: "calling the daemon with the gRPC library of another language",
  },
  {
    pythonModule: "grpc_tools.protoc",
    debianPackage: "python3-grpc-tools",
    purpose: "generating clients in Python from the schemas",
  },
  {
    program: "qemu-system-x86_64",
    debianPackage: "qemu-system-x86",
    purpose: "showing the store to a virtual machine",
  },
  {
    program: "busybox",
    debianPackage: "busybox-static",
    purpose: "what runs in a virtual machine",
  },
  {
    unpacked: "guest-kernel",
    debianPackage: "linux-image-cloud-amd64",
    purpose: "the kernel of a virtual machine",
  },
  { program: "fusermount3", debianPackage: "fuse3", purpose: "mounting without being root" },
  { program: "ip", debianPackage: "iproute2", purpose: "networks between daemons" },
  { program: "rsync", debianPackage: "rsync", purpose: "comparing mounted trees" },
  { program: "git", debianPackage: "git", purpose: "looking at a checkout that is mounted" },
  { program: "getfattr", debianPackage: "attr", purpose: "reading attributes of mounted files" },
  {
    program: "cc",
    debianPackage: "build-essential",
    purpose: "building a program from sources that are mounted",
  },
];

/** What the benchmarks compare with. */
export const BENCH_NEEDS: readonly DebianNeed[] = [
  { program: "nix-store", debianPackage: "nix-bin", purpose: "measuring nix-store --add" },
  { program: "restic", debianPackage: "restic", purpose: "measuring restic backup" },
  { program: "nginx", debianPackage: "nginx", purpose: "measuring a cache that only has files" },
  { program: "wrk", debianPackage: "wrk", purpose: "measuring narinfos a second" },
  { program: "curl", debianPackage: "curl", purpose: "sending single NARs" },
  { program: "squashfuse_ll", debianPackage: "squashfuse", purpose: "measuring a peer's mounts" },
  { program: "mksquashfs", debianPackage: "squashfs-tools", purpose: "making what it mounts" },
  { program: "bindfs", debianPackage: "bindfs", purpose: "measuring mounts of plain files" },
];

/** Set to keep the tools from installing anything. */
export const NO_APT_VARIABLE = "TVIX_NO_APT";

/**
 * Installs what is missing with apt-get, when this process may: it is root, apt-get exists, and
 * `TVIX_NO_APT` is not set. Says what it does and what stays missing.
 *
 * @returns what is still missing
 */
export async function ensureDebianPackages(
  needs: readonly DebianNeed[],
  say: (line: string) => void,
): Promise<readonly DebianNeed[]> {
  const missing = needs.filter((need) => !isThere(need));
  if (missing.length === 0) return [];
  const obstacle = whyNotInstall();
  if (obstacle === undefined) {
    const names = missing.map((need) => need.debianPackage);
    say(`Installing Debian packages: ${names.join(" ")}`);
    await aptGet(["update"], say);
    await install(missing, say);
  }
  const left = missing.filter((need) => !isThere(need));
  for (const need of left) {
    const how = `Debian package ${need.debianPackage}${obstacle === undefined ? "" : `; not installed here: ${obstacle}`}`;
    say(`Missing ${nameOf(need)}, needed for ${need.purpose} (${how})`);
  }
  return left;
}

/** The first executable of that name on PATH. */
export function findProgram(name: string): string | undefined {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here, or not executable by us: the next directory may have it.
    }
  }
  return undefined;
}

/** Whether that Python can import the module; `false` when there is no such Python. */
export function hasPythonModule(name: string, python: string = DEBIAN_PYTHON): boolean {
  return spawnSync(python, ["-c", `import ${name}`], { stdio: "ignore" }).status === 0;
}

function isThere(need: DebianNeed): boolean {
  if ("program" in need) return findProgram(need.program) !== undefined;
  if ("unpacked" in need) return existsSync(join(UNPACKED_FOLDER, need.unpacked));
  return hasPythonModule(need.pythonModule);
}

function nameOf(need: DebianNeed): string {
  if ("program" in need) return need.program;
  return "unpacked" in need ? need.unpacked : `the Python module ${need.pythonModule}`;
}

async function install(missing: readonly DebianNeed[], say: (line: string) => void): Promise<void> {
  const installed = missing.filter((need) => !("unpacked" in need));
  const names = installed.map((need) => need.debianPackage);
  if (names.length > 0) {
    await aptGet(["install", "--yes", "--no-install-recommends", ...names], say);
  }
  for (const need of missing) {
    if (!("unpacked" in need)) continue;
    const failure = await unpackDependency(
      need.debianPackage,
      join(UNPACKED_FOLDER, need.unpacked),
    );
    if (failure !== undefined) say(failure);
  }
}

function whyNotInstall(): string | undefined {
  if (process.env[NO_APT_VARIABLE] !== undefined) return `${NO_APT_VARIABLE} is set`;
  if (findProgram("apt-get") === undefined) return "there is no apt-get";
  if (process.getuid?.() !== 0) return "this needs root";
  return undefined;
}

async function aptGet(args: readonly string[], say: (line: string) => void): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const { exitCode, output } = await runProgram("apt-get", ["-qq", ...args], { cwd: "/", env });
  if (exitCode !== 0)
    say(`apt-get ${args[0]} failed with exit code ${exitCode}:\n${output.trim()}`);
}
