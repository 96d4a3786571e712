import { closeSync, existsSync, openSync, unlinkSync, writeSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { MEMORY_FOLDER } from "./scratch.js";

const BLOCK_BYTES = 4 * 1024 * 1024;

/** What is left to others. */
const MAX_SHARE = 0.6;

/**
 * Uses so much memory once and frees it. In a virtual machine, memory that nobody used before is
 * several times slower, because the host has to find it first: without this, whoever writes first
 * pays for all who come after.
 *
 * @returns how many bytes were used; none where there is no file system in memory
 */
export function warmMemory(bytes: number): number {
  if (!existsSync(MEMORY_FOLDER)) return 0;
  const file = join(MEMORY_FOLDER, `tvix-bench-warm-${process.pid}`);
  const block = new Uint8Array(BLOCK_BYTES);
  const wanted = Math.min(bytes, freemem() * MAX_SHARE);
  let used = 0;
  const fd = openSync(file, "wx");
  // Nobody else needs its name, and without one it cannot be left behind.
  unlinkSync(file);
  try {
    while (used + BLOCK_BYTES <= wanted) used += writeSync(fd, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(fd);
  }
  return used;
}
