import { CHUNK_BYTES, MAX_GROUP_BYTES, PARENT_BYTES } from "./tree-kernel.js";

/** How many chunks of BLAKE3 make up a group here, as a power of two: 16 chunks, 16 KiB. */
export const GROUP_LOG = 4;

/** Bytes of the length at the start of an outboard and of a slice. */
export const HEADER_BYTES = 8;

/** A node of a tree: the groups below it. One of a single group is a leaf. */
export interface TreeNode {
  /** Number of its first group. */
  readonly first: number;
  /** How many groups it has. */
  readonly count: number;
}

/** What a node is split into: as many groups as a full tree can have on the left, the others on the right. */
export function childrenOf({ first, count }: TreeNode): readonly [TreeNode, TreeNode] {
  let left = 1;
  while (2 * left < count) left *= 2;
  return [
    { first, count: left },
    { first: first + left, count: count - left },
  ];
}

/**
 * How many parents come before `node` in pre-order, where a parent comes before all below it, and what is on
 * the left before what is on the right.
 *
 * @param node - of a tree of so many groups
 */
export function parentsBefore(groups: number, node: TreeNode): number {
  let at: TreeNode = { first: 0, count: groups };
  let before = 0;
  while (at.first !== node.first || at.count !== node.count) {
    const [left, right] = childrenOf(at);
    const goesLeft = node.first < right.first;
    before += goesLeft ? 1 : left.count;
    at = goesLeft ? left : right;
  }
  return before;
}

/** The tree over an input of some length whose leaves are groups of chunks. */
export class TreeShape {
  readonly length: number;
  /** Length of every group but the last, in bytes. */
  readonly groupBytes: number;
  /** Number of groups; one also for an empty input. */
  readonly groups: number;

  /**
   * @param length - in bytes
   * @param groupLog - chunks in a group, as a power of two
   * @throws RangeError unless they are safe integers, and groups have at most 256 KiB
   */
  constructor(length: number, groupLog: number) {
    const groupBytes = CHUNK_BYTES * 2 ** groupLog;
    const isGroup = Number.isInteger(groupLog) && groupLog >= 0 && groupBytes <= MAX_GROUP_BYTES;
    if (!(isGroup && Number.isSafeInteger(length) && length >= 0)) {
      throw new RangeError(`Invalid tree: ${length} bytes in groups of 2^${groupLog} chunks`);
    }
    this.length = length;
    this.groupBytes = groupBytes;
    this.groups = Math.max(1, Math.ceil(length / groupBytes));
  }

  get root(): TreeNode {
    return { first: 0, count: this.groups };
  }

  /** Length of an outboard in bytes. */
  get outboardBytes(): number {
    return HEADER_BYTES + PARENT_BYTES * (this.groups - 1);
  }

  /** Where the bytes of a node end. */
  endOf({ first, count }: TreeNode): number {
    return Math.min(this.length, (first + count) * this.groupBytes);
  }

  /**
   * The groups in a slice, as in the specification of bao: those that the range touches, and at least one. A
   * range without bytes counts as one of a byte; one that starts at the end or past it stands for the last group.
   */
  groupsIn({ offset, length }: SliceRange): TreeNode {
    const start = Math.min(offset, Math.max(0, this.length - 1));
    const first = Math.floor(start / this.groupBytes);
    const isInside = offset <= start;
    const end = isInside ? Math.max(start + 1, Math.min(offset + length, this.length)) : start + 1;
    return { first, count: Math.max(1, Math.ceil(end / this.groupBytes) - first) };
  }
}

/** A part of an input, in bytes. It may reach beyond its end. */
export interface SliceRange {
  readonly offset: number;
  readonly length: number;
}

/** Whether two nodes have groups in common. */
export function overlap(a: TreeNode, b: TreeNode): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}

/** A length as eight bytes, little-endian. */
export function encodeLength(length: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  return header;
}

/** The length in the first eight bytes; `undefined` when it is more than 2^53 - 1. */
export function decodeLength(header: Uint8Array): number | undefined {
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  const length = Number(view.getBigUint64(0, true));
  return Number.isSafeInteger(length) ? length : undefined;
}
