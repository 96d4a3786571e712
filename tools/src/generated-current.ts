import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Finding } from "./finding.js";
import { runProgram } from "./run-program.js";
import type { WorkspacePackage } from "./workspace.js";

const WHY =
  "generated code is committed, so that readers and tools see it; run `pnpm generate` and commit the result";

/**
 * Runs every `generate` script in a temporary copy of the work tree and compares the outcome with
 * the files in the work tree, which is not touched.
 */
export async function checkGenerated(
  root: string,
  packages: readonly WorkspacePackage[],
): Promise<Finding[]> {
  const generating = packages.filter((item) => item.manifest.scripts?.["generate"] !== undefined);
  const copy = await mkdtemp(join(tmpdir(), "tvix-generate-"));
  try {
    const files = await copyWorkTree(root, copy, packages);
    const findings: Finding[] = [];
    for (const item of generating) findings.push(...(await generateIn(copy, item)));
    return findings.length > 0 ? findings : await compareTrees(root, copy, files, generating);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** Copies what git tracks or would track, and links the installed dependencies. */
async function copyWorkTree(
  root: string,
  copy: string,
  packages: readonly WorkspacePackage[],
): Promise<string[]> {
  const present = await listGit(
    root,
    "--cached",
    "--others",
    "--exclude-standard",
    "--deduplicate",
  );
  const deleted = new Set(await listGit(root, "--deleted"));
  const files = present.filter((file) => !deleted.has(file));
  for (const file of files) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await cp(join(root, file), join(copy, file), { verbatimSymlinks: true });
  }
  for (const directory of [".", ...packages.map((item) => item.directory)]) {
    await symlink(join(root, directory, "node_modules"), join(copy, directory, "node_modules"));
  }
  return files;
}

async function listGit(root: string, ...args: readonly string[]): Promise<string[]> {
  const listed = await runProgram("git", ["ls-files", "-z", ...args], { cwd: root });
  if (listed.exitCode !== 0) throw new Error(`Cannot list the work tree: ${listed.output}`);
  return listed.output.split("\0").filter((file) => file !== "");
}

async function generateIn(copy: string, item: WorkspacePackage): Promise<Finding[]> {
  const cwd = join(copy, item.directory);
  const bins = [
    join(cwd, "node_modules/.bin"),
    join(copy, "node_modules/.bin"),
    process.env["PATH"],
  ];
  const script = item.manifest.scripts?.["generate"] ?? "";
  const result = await runProgram("sh", ["-c", script], { cwd, env: { PATH: bins.join(":") } });
  if (result.exitCode === 0) return [];
  const what = `"${script}" fails with exit code ${result.exitCode}: ${result.output.trim()}`;
  return [{ where: `${item.directory}/package.json`, what, why: WHY }];
}

async function compareTrees(
  root: string,
  copy: string,
  files: readonly string[],
  packages: readonly WorkspacePackage[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { directory } of packages) {
    const before = files.filter((file) => file.startsWith(`${directory}/`));
    const after = await listFiles(copy, directory);
    for (const file of new Set([...before, ...after])) {
      const [was, is] = await Promise.all([
        readIfThere(join(root, file)),
        readIfThere(join(copy, file)),
      ]);
      if (was !== undefined && is !== undefined && was.equals(is)) continue;
      const what =
        is === undefined
          ? "is no longer generated"
          : was === undefined
            ? "is not committed"
            : "is not current";
      findings.push({ where: file, what, why: WHY });
    }
  }
  return findings;
}

async function listFiles(copy: string, directory: string): Promise<string[]> {
  const entries = await readdir(join(copy, directory), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("/node_modules"))
    .map((entry) => relative(copy, join(entry.parentPath, entry.name)));
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
