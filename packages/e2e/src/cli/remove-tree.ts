import { chmod, lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes a tree whose directories may be read-only, as those of a Nix store are. */
export async function removeTree(path: string): Promise<void> {
  if (process.geteuid?.() !== 0) await makeWritable(path);
  await rm(path, { recursive: true, force: true });
}

async function makeWritable(path: string): Promise<void> {
  const pending = [Buffer.from(path)];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const stats = await lstat(next).catch(() => undefined);
    if (stats?.isDirectory() !== true) continue;
    await chmod(next, 0o700);
    const names = await readdir(next, { encoding: "buffer" });
    for (const name of names)
      pending.push(Buffer.from(join(next.toString("latin1"), name.toString("latin1")), "latin1"));
  }
}
