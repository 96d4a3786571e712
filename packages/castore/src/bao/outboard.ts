// Outboards: the values of the inner nodes of a BLAKE3 tree, apart from the input. Format, groups and limits:
// docs/formats/outboard.md.
import { equalBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { PARENT_BYTES, parentValue, VALUE_BYTES } from "./tree-kernel.js";
import {
  childrenOf,
  decodeLength,
  encodeLength,
  HEADER_BYTES,
  overlap,
  parentsBefore,
  type TreeNode,
  TreeShape,
} from "./tree-shape.js";

/** Groups of a page of a tree: 4 MiB where groups are 16 KiB. */
export const PAGE_GROUPS = 256;

/**
 * The inner nodes of the tree over an input. In pages, so that a proof takes the top of the tree and one page
 * of it, however long the input is.
 */
export interface TreeParents {
  /** Length of the input in bytes. */
  readonly length: number;
  /** Chunks of a group, as a power of two. */
  readonly groupLog: number;
  /** The parents above the pages, in pre-order: 64 bytes each, the values of both children. */
  readonly top: Uint8Array;
  /** The parents of the groups from `PAGE_GROUPS * index` on, in pre-order. Ends with the reason of `signal`. */
  page(index: number, signal?: AbortSignal): Uint8Array | Promise<Uint8Array>;
}

/** How many pages a tree has; the last may be short, or without parents. */
export function pageCount({ groups }: TreeShape): number {
  return Math.ceil(groups / PAGE_GROUPS);
}

/** Length of a page in bytes. */
export function pageBytes({ groups }: TreeShape, index: number): number {
  return PARENT_BYTES * (Math.min(PAGE_GROUPS, groups - index * PAGE_GROUPS) - 1);
}

/** Length of the top in bytes. */
export function topBytes(shape: TreeShape): number {
  return PARENT_BYTES * (pageCount(shape) - 1);
}

/** The values of the children of `node`, which is not a leaf. */
async function parentOf(
  tree: TreeParents,
  node: TreeNode,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { groups } = new TreeShape(tree.length, tree.groupLog);
  if (node.count > PAGE_GROUPS) {
    const pages = Math.ceil(groups / PAGE_GROUPS);
    const above = { first: node.first / PAGE_GROUPS, count: Math.ceil(node.count / PAGE_GROUPS) };
    return parentAt(tree.top, parentsBefore(pages, above));
  }
  const index = Math.floor(node.first / PAGE_GROUPS);
  const start = index * PAGE_GROUPS;
  const inPage = { first: node.first - start, count: node.count };
  const before = parentsBefore(Math.min(PAGE_GROUPS, groups - start), inPage);
  return parentAt(await tree.page(index, signal), before);
}

/**
 * What the value of a page has to be.
 *
 * @param tree - with a top that is that of the digest
 */
function valueOfPage(
  tree: Pick<TreeParents, "length" | "groupLog" | "top">,
  digest: B3Digest,
  index: number,
): Uint8Array {
  const pages = pageCount(new TreeShape(tree.length, tree.groupLog));
  let node: TreeNode = { first: 0, count: pages };
  let value = digest.toBytes();
  while (node.count > 1) {
    const parent = parentAt(tree.top, parentsBefore(pages, node));
    const [left, right] = childrenOf(node);
    const goesLeft = index < right.first;
    node = goesLeft ? left : right;
    value = goesLeft ? parent.subarray(0, VALUE_BYTES) : parent.subarray(VALUE_BYTES);
  }
  return value;
}

/**
 * Whether these parents, in pre-order, are those above so many leaves, and have that value together.
 *
 * @param isRoot - whether the value is a digest
 */
function isTreeOf(
  parents: Uint8Array,
  leaves: number,
  value: Uint8Array,
  isRoot: boolean,
): boolean {
  if (parents.byteLength !== PARENT_BYTES * (leaves - 1)) return false;
  const stack = [{ leaves, value }];
  let at = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.leaves === 1) continue;
    const parent = parents.subarray(at, at + PARENT_BYTES);
    if (!equalBytes(parentValue(parent, isRoot && at === 0), next.value)) return false;
    at += PARENT_BYTES;
    const [left, right] = childrenOf({ first: 0, count: next.leaves });
    stack.push({ leaves: right.count, value: parent.subarray(VALUE_BYTES) });
    stack.push({ leaves: left.count, value: parent.subarray(0, VALUE_BYTES) });
  }
  return true;
}

/** Whether `top` is the top of the tree of a blob. */
export function isTopOf(top: Uint8Array, shape: TreeShape, digest: B3Digest): boolean {
  return isTreeOf(top, pageCount(shape), digest.toBytes(), true);
}

/** Whether `page` is a page of the tree of a blob, whose top is right. */
export function isPageOf(
  page: Uint8Array,
  tree: Pick<TreeParents, "length" | "groupLog" | "top">,
  digest: B3Digest,
  index: number,
): boolean {
  const shape = new TreeShape(tree.length, tree.groupLog);
  const leaves = pageBytes(shape, index) / PARENT_BYTES + 1;
  return isTreeOf(page, leaves, valueOfPage(tree, digest, index), pageCount(shape) === 1);
}

function parentAt(parents: Uint8Array, index: number): Uint8Array {
  return parents.subarray(index * PARENT_BYTES, (index + 1) * PARENT_BYTES);
}

/** A node in the order of an outboard, with what its value has to be. */
export interface ProvedNode extends TreeNode {
  readonly value: Uint8Array;
  /** The values of its children; `undefined` for a leaf. */
  readonly parent: Uint8Array | undefined;
}

/**
 * The nodes from the root down to the groups in `wanted`, in pre-order, each parent compared with the digest.
 *
 * @throws {@link CastoreError} "CORRUPT" when the tree is not that of the digest
 */
export async function* provedNodes(
  tree: TreeParents,
  digest: B3Digest,
  wanted: TreeNode,
  signal?: AbortSignal,
): AsyncGenerator<ProvedNode, void, undefined> {
  const { root } = new TreeShape(tree.length, tree.groupLog);
  const stack = [{ node: root, value: digest.toBytes() }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { node, value } = next;
    if (node.count === 1) {
      yield { ...node, value, parent: undefined };
      continue;
    }
    const parent = await parentOf(tree, node, signal);
    checkParent(parent, value, node.count === root.count, digest);
    yield { ...node, value, parent };
    const [left, right] = childrenOf(node);
    const [leftValue, rightValue] = [parent.subarray(0, VALUE_BYTES), parent.subarray(VALUE_BYTES)];
    if (overlap(right, wanted)) stack.push({ node: right, value: rightValue });
    if (overlap(left, wanted)) stack.push({ node: left, value: leftValue });
  }
}

/** @throws {@link CastoreError} "CORRUPT" unless `value` is that of `parent` */
export function checkParent(
  parent: Uint8Array,
  value: Uint8Array,
  isRoot: boolean,
  digest: B3Digest,
): void {
  if (parent.byteLength === PARENT_BYTES && equalBytes(parentValue(parent, isRoot), value)) return;
  throw new CastoreError("CORRUPT", `Cannot prove blob ${digest}: a node of its tree is wrong`);
}

/** All of a tree as one outboard, every node compared with the digest. */
export async function outboardBytes(
  tree: TreeParents,
  digest: B3Digest,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const shape = new TreeShape(tree.length, tree.groupLog);
  const bytes = new Uint8Array(shape.outboardBytes);
  bytes.set(encodeLength(tree.length));
  let at = HEADER_BYTES;
  for await (const { parent } of provedNodes(tree, digest, shape.root, signal)) {
    if (parent === undefined) continue;
    bytes.set(parent, at);
    at += PARENT_BYTES;
  }
  return bytes;
}

/**
 * The tree in an outboard. Its nodes are not compared with a digest; what uses them does that.
 *
 * @throws {@link CastoreError} "CORRUPT" when the outboard has another length than the one it states asks for
 */
export function treeOfOutboard(outboard: Uint8Array, groupLog: number): TreeParents {
  const length = outboard.byteLength < HEADER_BYTES ? undefined : decodeLength(outboard);
  const shape = length === undefined ? undefined : new TreeShape(length, groupLog);
  if (shape === undefined || shape.outboardBytes !== outboard.byteLength) {
    const state = `${outboard.byteLength} bytes for an input of ${length ?? "unknown"} bytes`;
    throw new CastoreError("CORRUPT", `Cannot read an outboard: ${state}`);
  }
  const parents = outboard.subarray(HEADER_BYTES);
  const nodeOf = (index: number): TreeNode => ({
    first: index * PAGE_GROUPS,
    count: Math.min(PAGE_GROUPS, shape.groups - index * PAGE_GROUPS),
  });
  return {
    length: shape.length,
    groupLog,
    top: topOf(parents, shape),
    page: (index) => {
      const start = PARENT_BYTES * parentsBefore(shape.groups, nodeOf(index));
      return parents.subarray(start, start + pageBytes(shape, index));
    },
  };
}

/** The parents above the pages, from all of them. */
function topOf(parents: Uint8Array, shape: TreeShape): Uint8Array {
  const top = new Uint8Array(topBytes(shape));
  const stack = [shape.root];
  let at = 0;
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.count <= PAGE_GROUPS) continue;
    top.set(parentAt(parents, parentsBefore(shape.groups, node)), at);
    at += PARENT_BYTES;
    const [left, right] = childrenOf(node);
    stack.push(right, left);
  }
  return top;
}
