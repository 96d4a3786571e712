import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runProgram } from "./run-program.js";

/**
 * Unpacks what a Debian package depends on into a folder, without installing it: as the files of a kernel, which belongs to
 * no running system. The folder appears when it is complete.
 *
 * @param metaPackage - depends on one package, whose name begins in the same way and changes with its version
 * @param folder - must not exist
 * @returns what failed; `undefined` when nothing did
 */
export async function unpackDependency(
  metaPackage: string,
  folder: string,
): Promise<string | undefined> {
  const depends = await runProgram("apt-cache", ["depends", metaPackage], { cwd: "/" });
  const name = /^ *Depends: (\S+)$/m.exec(depends.output)?.[1];
  if (name === undefined) return `${metaPackage} depends on nothing that is known`;
  await mkdir(dirname(folder), { recursive: true });
  const scratch = await mkdtemp(`${folder}-`);
  try {
    const download = await runProgram("apt-get", ["-qq", "download", name], { cwd: scratch });
    const file = (await readdir(scratch)).find((entry) => entry.endsWith(".deb"));
    if (file === undefined) return `apt-get download ${name} failed:\n${download.output.trim()}`;
    const unpacked = join(scratch, "unpacked");
    const unpack = await runProgram("dpkg-deb", ["-x", file, unpacked], { cwd: scratch });
    if (unpack.exitCode !== 0) return `dpkg-deb -x ${file} failed:\n${unpack.output.trim()}`;
    if (!existsSync(folder)) await rename(unpacked, folder);
    return undefined;
  } finally {
    await rm(scratch, { recursive: true });
  }
}
