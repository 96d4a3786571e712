import { lstatSync, readdirSync, readFileSync, type Stats } from "node:fs";

/** One file, directory, link or special file below a folder. Names are bytes, as on disk. */
export interface FoundEntry {
  /** Path from the root of the walk; empty for the root itself. */
  readonly relative: Buffer;
  readonly stats: Stats;
}

const SLASH = Buffer.from("/");

/** `parent/child`, in bytes. */
export function joinBytes(parent: Buffer, child: Buffer): Buffer {
  if (parent.byteLength === 0) return child;
  return child.byteLength === 0 ? parent : Buffer.concat([parent, SLASH, child]);
}

/** Everything at and below `root`: a directory before its entries, these in the order of their bytes. */
export function* walkTree(root: string): Generator<FoundEntry, void, undefined> {
  const base = Buffer.from(root);
  const pending: Buffer[] = [Buffer.alloc(0)];
  for (let relative = pending.pop(); relative !== undefined; relative = pending.pop()) {
    const path = joinBytes(base, relative);
    const stats = lstatSync(path);
    yield { relative, stats };
    if (!stats.isDirectory()) continue;
    const names = readdirSync(path, { encoding: "buffer" }).sort(Buffer.compare).reverse();
    for (const name of names) pending.push(joinBytes(relative, name));
  }
}

/** What a tree consists of. */
export interface TreeSize {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  /** Content of the files. */
  readonly bytes: number;
}

export function measureTree(root: string): TreeSize {
  const size = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
  for (const { stats } of walkTree(root)) {
    if (stats.isDirectory()) size.directories += 1;
    else if (stats.isSymbolicLink()) size.symlinks += 1;
    else {
      size.files += 1;
      size.bytes += stats.size;
    }
  }
  return size;
}

/** Reads every file, so that all are in the page cache. */
export function readTree(root: string): void {
  const base = Buffer.from(root);
  for (const { relative, stats } of walkTree(root)) {
    if (stats.isFile()) readFileSync(joinBytes(base, relative));
  }
}

/** Space on disk. */
export interface DiskUse {
  /** Lengths of all files, each counted once however many names it has. */
  readonly bytes: number;
  /** What the file system has set aside for files and directories. */
  readonly allocatedBytes: number;
}

/** Unit of `st_blocks`, see stat(2). */
const BLOCK_BYTES = 512;

export function measureDiskUse(root: string): DiskUse {
  const seen = new Set<string>();
  const use = { bytes: 0, allocatedBytes: 0 };
  for (const { stats } of walkTree(root)) {
    const identity = `${stats.dev}:${stats.ino}`;
    if (seen.has(identity)) continue;
    seen.add(identity);
    if (stats.isFile()) use.bytes += stats.size;
    use.allocatedBytes += stats.blocks * BLOCK_BYTES;
  }
  return use;
}
