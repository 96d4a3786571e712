import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { SymlinkTarget } from "./symlink-target.js";

/** Largest `size` that a node can carry: the format has 64 bits for it. */
export const MAX_NODE_SIZE: bigint = 2n ** 64n - 1n;

/** A directory: the digest of its canonical encoding, and its size (see `Directory.size`). */
export interface DirectoryNode {
  readonly type: "directory";
  readonly digest: B3Digest;
  readonly size: bigint;
}

/** A regular file: the digest and the length in bytes of its content. */
export interface FileNode {
  readonly type: "file";
  readonly digest: B3Digest;
  readonly size: bigint;
  readonly executable: boolean;
}

/** A symbolic link. */
export interface SymlinkNode {
  readonly type: "symlink";
  readonly target: SymlinkTarget;
}

/** What a name can stand for: everything about a file system object that castore keeps. */
export type Node = DirectoryNode | FileNode | SymlinkNode;

/** @throws {@link CastoreError} with code "INVALID_ARGUMENT" when `size` does not fit 64 bits */
export function directoryNode(digest: B3Digest, size: bigint): DirectoryNode {
  return { type: "directory", digest, size: checkSize(size) };
}

/** @throws {@link CastoreError} with code "INVALID_ARGUMENT" when `size` does not fit 64 bits */
export function fileNode(digest: B3Digest, size: bigint, executable = false): FileNode {
  return { type: "file", digest, size: checkSize(size), executable };
}

export function symlinkNode(target: SymlinkTarget): SymlinkNode {
  return { type: "symlink", target };
}

/** Whether both describe the same object: same kind, content and attributes. */
export function equalNodes(a: Node, b: Node): boolean {
  switch (a.type) {
    case "directory":
      return b.type === "directory" && a.size === b.size && a.digest.equals(b.digest);
    case "file":
      return (
        b.type === "file" &&
        a.size === b.size &&
        a.executable === b.executable &&
        a.digest.equals(b.digest)
      );
    case "symlink":
      return b.type === "symlink" && a.target.equals(b.target);
  }
}

function checkSize(size: bigint): bigint {
  if (size < 0n || size > MAX_NODE_SIZE) {
    throw new CastoreError("INVALID_ARGUMENT", `Invalid node size ${size}: expected 0 to 2^64-1`);
  }
  return size;
}
