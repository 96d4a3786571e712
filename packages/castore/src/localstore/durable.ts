import fs from "node:fs";
import { threadId } from "node:worker_threads";

/** Makes the names in a directory durable: after creating or renaming a file in it. */
export function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Writes a small file so that it is there whole or not at all, also after a power loss. */
export function writeFileDurably(directory: string, name: string, text: string): void {
  const temporary = `${directory}/${name}.${process.pid}-${threadId}.tmp`;
  const fd = fs.openSync(temporary, "w", 0o644);
  try {
    fs.writeSync(fd, text);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temporary, `${directory}/${name}`);
  syncDirectory(directory);
}
