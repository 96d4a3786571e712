import {
  type B3Digest,
  blake3,
  DIGEST_LENGTH,
  type DirectoryEntry,
  type PathComponent,
} from "@tvix/castore";
import { ROOT_NODE_ID } from "../file-system.js";
import { NODE_KIND, type NodeKind } from "./node-kind.js";

/** Of 53 bits that a number holds exactly, those above the low 32. */
const HIGH_BITS = 0x1f_ffff;
const LOW_RANGE = 2 ** 32;

/** Longest input of {@link directoryPosition}: the number of the parent, a digest and a name. */
const MAX_POSITION_BYTES = 8 + DIGEST_LENGTH + 255;

/** Where a directory is, boiled down to twice 53 bits. */
export interface DirectoryPosition {
  /** st_ino of the directory. */
  readonly ino: number;
  /** Tells apart directories with the same number, should that ever happen. */
  readonly check: number;
}

/**
 * st_ino of a file or a symlink: 53 bits of its digest, so it is the same in every mount. Which ones depends on the
 * kind: an executable and a plain copy of a blob differ, and so does a link whose target reads like a file.
 *
 * @param words - the digest, or that of the target, from `at` on
 */
export function contentInode(words: Uint32Array, at: number, kind: NodeKind): number {
  const from = at + (kind === NODE_KIND.EXECUTABLE ? 2 : kind === NODE_KIND.SYMLINK ? 4 : 0);
  return joined(words[from] as number, words[from + 1] as number);
}

const input = new Uint8Array(MAX_POSITION_BYTES);
const inputView = new DataView(input.buffer);
const output = new Uint8Array(DIGEST_LENGTH);
const outputWords = new Uint32Array(output.buffer);

/**
 * The place of a directory in the tree. The same content at two places is two directories: the kernel knows each
 * directory under one name only, and would move it there otherwise.
 */
export function directoryPosition(
  parentIno: number,
  name: PathComponent,
  digest: B3Digest,
): DirectoryPosition {
  inputView.setFloat64(0, parentIno, true);
  digest.writeTo(input, 8);
  name.writeTo(input, 8 + DIGEST_LENGTH);
  const length = 8 + DIGEST_LENGTH + name.byteLength;
  blake3(input.subarray(0, length)).writeTo(output, 0);
  return {
    ino: joined(outputWords[0] as number, outputWords[1] as number),
    check: joined(outputWords[2] as number, outputWords[3] as number),
  };
}

/** st_ino of an entry of a directory, which the kernel need not know. */
export function entryInode(parentIno: number, { name, node }: DirectoryEntry): number {
  switch (node.type) {
    case "directory":
      return directoryPosition(parentIno, name, node.digest).ino;
    case "file":
      node.digest.writeTo(output, 0);
      return contentInode(outputWords, 0, node.executable ? NODE_KIND.EXECUTABLE : NODE_KIND.FILE);
    case "symlink":
      blake3(node.target.toBytes()).writeTo(output, 0);
      return contentInode(outputWords, 0, NODE_KIND.SYMLINK);
  }
}

function joined(high: number, low: number): number {
  const ino = (high & HIGH_BITS) * LOW_RANGE + low;
  // 0 means that there is no number, and 1 is the root.
  return ino <= ROOT_NODE_ID ? ino + ROOT_NODE_ID + 1 : ino;
}
