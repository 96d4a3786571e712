import {
  chmodSync,
  constants,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { joinBytes, walkTree } from "./walk-tree.js";

/** Time stamp of everything copied, in seconds: programs that keep it see the same on every run. */
const COPIED_MTIME = 1;

const OWNER_WRITE = 0o200;
const PERMISSIONS = 0o777;

/** What a copy may leave out. */
export interface CopyOptions {
  /** Decides by the last part of the path; what is below an entry left out is left out too. */
  readonly skip?: (name: string) => boolean;
}

/**
 * Copies a tree: content, names, permissions and links, of which programs that store trees make
 * something. Sockets, pipes and devices are left out, and everything becomes writable for its owner.
 */
export function copyTree(from: string, to: string, options: CopyOptions = {}): void {
  const source = Buffer.from(from);
  const target = Buffer.from(to);
  const directories: Buffer[] = [];
  const skipped: string[] = [];
  for (const { relative, stats } of walkTree(from)) {
    const text = relative.toString("latin1");
    const isBelowSkipped = skipped.length > 0 && text.startsWith(skipped.at(-1) as string);
    if (isBelowSkipped) continue;
    if (options.skip?.(text.slice(text.lastIndexOf("/") + 1)) === true) {
      skipped.push(`${text}/`);
      continue;
    }
    const path = joinBytes(target, relative);
    const mode = (stats.mode & PERMISSIONS) | OWNER_WRITE;
    if (stats.isDirectory()) {
      mkdirSync(path, { recursive: true });
      chmodSync(path, mode);
      directories.push(path);
    } else if (stats.isSymbolicLink()) {
      symlinkSync(readlinkSync(joinBytes(source, relative), { encoding: "buffer" }), path);
      lutimesSync(path, COPIED_MTIME, COPIED_MTIME);
    } else if (stats.isFile()) {
      copyFileSync(joinBytes(source, relative), path, constants.COPYFILE_EXCL);
      chmodSync(path, mode);
      utimesSync(path, COPIED_MTIME, COPIED_MTIME);
    }
  }
  // Last: whatever is made in a directory changes its time stamp.
  for (const path of directories) utimesSync(path, COPIED_MTIME, COPIED_MTIME);
}
