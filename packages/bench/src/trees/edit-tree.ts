import { appendFileSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { joinBytes, walkTree } from "./walk-tree.js";

/** One file in so many is edited. */
const EDIT_EVERY = 100;

/** Time stamp of what was edited, in seconds; copies have another one. */
const EDITED_MTIME = 2;

/**
 * Changes 1 % of the regular files of a tree in place, always the same ones in the same way: in turn
 * one byte flipped, a line appended, the file removed, a new file beside it.
 *
 * @param offset - which files, from 0 to 99: edits of equal trees with different offsets have no file in
 *   common
 * @returns how many files were edited
 */
export function editTree(root: string, offset: number): number {
  const base = Buffer.from(root);
  const files = [...walkTree(root)]
    .filter(({ stats }) => stats.isFile())
    .map(({ relative }) => relative)
    .sort(Buffer.compare);
  const chosen = files.filter((_, index) => index % EDIT_EVERY === offset);
  chosen.forEach((relative, index) => {
    editFile(joinBytes(base, relative), index);
  });
  return chosen.length;
}

function editFile(path: Buffer, index: number): void {
  switch (index % 4) {
    case 0:
      flipByte(path);
      break;
    case 1:
      appendFileSync(path, `appended line ${index}\n`);
      break;
    case 2:
      unlinkSync(path);
      return;
    default: {
      const added = Buffer.concat([path, Buffer.from(".new")]);
      writeFileSync(added, `new file ${index}\n`.repeat((index % 50) + 1));
      utimesSync(added, EDITED_MTIME, EDITED_MTIME);
      return;
    }
  }
  utimesSync(path, EDITED_MTIME, EDITED_MTIME);
}

/** Flips the lowest bit of the byte in the middle; an empty file becomes one byte. */
function flipByte(path: Buffer): void {
  const content = readFileSync(path);
  if (content.byteLength === 0) {
    writeFileSync(path, "x");
    return;
  }
  const middle = content.byteLength >> 1;
  content[middle] = (content[middle] ?? 0) ^ 1;
  writeFileSync(path, content);
}
