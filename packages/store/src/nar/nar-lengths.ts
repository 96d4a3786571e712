import type { FileNode, SymlinkNode } from "@tvix/castore";
import {
  NAR_CLOSE,
  NAR_DIRECTORY,
  NAR_ENTRY,
  NAR_EXECUTABLE,
  NAR_FILE,
  NAR_LENGTH_BYTES,
  NAR_MAGIC,
  NAR_NODE,
  NAR_SYMLINK,
  narPadding,
  narStringLength,
} from "./wire.js";

/** Bytes before the root node. */
export const MAGIC_LENGTH: number = NAR_MAGIC.byteLength;

/** Bytes of a directory node before its first entry. */
export const DIRECTORY_HEAD_LENGTH: number = NAR_DIRECTORY.byteLength;

/** Bytes after every node, and once more after every entry. */
export const CLOSE_LENGTH: number = NAR_CLOSE.byteLength;

/** Bytes of an entry before its node. */
export function entryHeadLength(nameLength: number): number {
  return NAR_ENTRY.byteLength + narStringLength(nameLength) + NAR_NODE.byteLength;
}

/** Bytes of a file node before its content. */
export function fileHeadLength({ executable }: FileNode): number {
  return (executable ? NAR_EXECUTABLE : NAR_FILE).byteLength + NAR_LENGTH_BYTES;
}

/** Bytes of a whole file or link node. Inexact, but still too large, from 2^53 on. */
export function leafLength(node: FileNode | SymlinkNode): number {
  if (node.type === "symlink") {
    return NAR_SYMLINK.byteLength + narStringLength(node.target.byteLength) + CLOSE_LENGTH;
  }
  const size = Number(node.size);
  return fileHeadLength(node) + size + narPadding(size) + CLOSE_LENGTH;
}
