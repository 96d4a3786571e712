import { concatBytes, copyBytes } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { PAGE_GROUPS, type TreeParents } from "./outboard.js";
import {
  groupValue,
  groupValues,
  MAX_GROUP_BYTES,
  PARENT_BYTES,
  parentValue,
  VALUE_BYTES,
} from "./tree-kernel.js";
import { childrenOf, GROUP_LOG, type TreeNode, TreeShape } from "./tree-shape.js";

/** The parents of some groups in a row. */
export interface TreePage {
  /** Number of its first group, divided by {@link PAGE_GROUPS}. */
  readonly index: number;
  /** In pre-order, 64 bytes each. */
  readonly parents: Uint8Array;
}

/** What is known when all of an input has been seen. */
export interface BuiltTree {
  readonly digest: B3Digest;
  /** Length of the input in bytes. */
  readonly length: number;
  /** The parents above the pages, in pre-order. */
  readonly top: Uint8Array;
  /** The last page. */
  readonly page: TreePage;
}

/**
 * Computes the tree of an input that comes in pieces. Pages are given out as they are complete; what is kept is
 * one page, the values of those before, 32 bytes each, and less than 256 KiB of the input.
 */
export class TreeBuilder {
  readonly #groupBytes: number;
  /** Input that is not hashed yet, at least one byte of all that there was: the last group may be the root. */
  readonly #pending: Uint8Array = new Uint8Array(MAX_GROUP_BYTES);
  #filled = 0;
  #hashed = 0;
  readonly #values: Uint8Array = new Uint8Array(PAGE_GROUPS * VALUE_BYTES);
  #groups = 0;
  readonly #pageValues: Uint8Array[] = [];

  /** @param groupLog - chunks of a group, as a power of two */
  constructor(groupLog: number = GROUP_LOG) {
    this.#groupBytes = new TreeShape(0, groupLog).groupBytes;
  }

  /** Takes more of the input. The bytes are not kept. Gives the pages that are complete now. */
  push(bytes: Uint8Array): TreePage[] {
    const pages: TreePage[] = [];
    for (let at = 0; at < bytes.byteLength; ) {
      if (this.#filled === MAX_GROUP_BYTES) this.#hash(this.#pending, pages);
      const left = bytes.byteLength - at;
      if (this.#filled === 0 && left > MAX_GROUP_BYTES) {
        this.#hash(bytes.subarray(at, at + MAX_GROUP_BYTES), pages);
        at += MAX_GROUP_BYTES;
        continue;
      }
      const part = bytes.subarray(at, at + MAX_GROUP_BYTES - this.#filled);
      this.#pending.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
    }
    return pages;
  }

  /** Ends the input. Gives pages that were not complete before, the last one apart. */
  finish(): { readonly pages: readonly TreePage[]; readonly tree: BuiltTree } {
    const pages: TreePage[] = [];
    const length = this.#hashed + this.#filled;
    const whole = Math.max(0, Math.ceil(this.#filled / this.#groupBytes) - 1) * this.#groupBytes;
    const rest = this.#pending.subarray(whole, this.#filled);
    if (whole > 0) this.#hash(this.#pending.subarray(0, whole), pages);
    const isRoot = this.#hashed === 0;
    this.#addValues(groupValue(rest, this.#hashed, isRoot), pages);
    const isOnlyPage = this.#pageValues.length === 0;
    const page = this.#closePage(isOnlyPage && !isRoot);
    const top = joinValues(concatBytes(this.#pageValues), !isOnlyPage);
    const tree = { digest: B3Digest.fromBytes(top.value), length, top: top.parents, page };
    return { pages, tree };
  }

  /** Whole groups, none of them the last. */
  #hash(bytes: Uint8Array, pages: TreePage[]): void {
    this.#addValues(groupValues(bytes, this.#hashed, this.#groupBytes), pages);
    this.#hashed += bytes.byteLength;
    this.#filled = 0;
  }

  #addValues(values: Uint8Array, pages: TreePage[]): void {
    for (let at = 0; at < values.byteLength; at += VALUE_BYTES) {
      // Closed when another group follows: until then it may be all there is.
      if (this.#groups === PAGE_GROUPS) pages.push(this.#closePage(false));
      this.#values.set(values.subarray(at, at + VALUE_BYTES), this.#groups++ * VALUE_BYTES);
    }
  }

  #closePage(isRoot: boolean): TreePage {
    const values = this.#values.subarray(0, this.#groups * VALUE_BYTES);
    const { parents, value } = joinValues(values, isRoot);
    const index = this.#pageValues.push(value) - 1;
    this.#groups = 0;
    return { index, parents };
  }
}

/** The tree over some values: its parents in pre-order, and its own value. */
function joinValues(
  values: Uint8Array,
  isRoot: boolean,
): { readonly parents: Uint8Array; readonly value: Uint8Array } {
  const count = values.byteLength / VALUE_BYTES;
  const parents = new Uint8Array((count - 1) * PARENT_BYTES);
  const join = (node: TreeNode, at: number): Uint8Array => {
    const start = node.first * VALUE_BYTES;
    if (node.count === 1) return copyBytes(values.subarray(start, start + VALUE_BYTES));
    const [left, right] = childrenOf(node);
    const parent = parents.subarray(at, at + PARENT_BYTES);
    parent.set(join(left, at + PARENT_BYTES));
    parent.set(join(right, at + left.count * PARENT_BYTES), VALUE_BYTES);
    return parentValue(parent, isRoot && node.count === count);
  };
  return { parents, value: join({ first: 0, count }, 0) };
}

/**
 * The parents of one page of a tree, in pre-order.
 *
 * @param content - the bytes below them
 * @param index - of the page
 */
export function pageOf(shape: TreeShape, index: number, content: Uint8Array): Uint8Array {
  const start = index * PAGE_GROUPS * shape.groupBytes;
  const values: Uint8Array[] = [];
  for (let at = 0; at < content.byteLength; at += MAX_GROUP_BYTES) {
    const part = content.subarray(at, at + MAX_GROUP_BYTES);
    const whole = part.byteLength - (part.byteLength % shape.groupBytes);
    if (whole > 0) {
      values.push(groupValues(part.subarray(0, whole), start + at, shape.groupBytes));
    }
    if (whole < part.byteLength) {
      values.push(groupValue(part.subarray(whole), start + at + whole, false));
    }
  }
  // A page of one group has no parents, whatever the group holds.
  return values.length === 0 ? new Uint8Array(0) : joinValues(concatBytes(values), false).parents;
}

/** The tree of bytes in memory, all of it kept. */
export function treeOf(
  bytes: Uint8Array,
  groupLog: number = GROUP_LOG,
): TreeParents & { readonly digest: B3Digest } {
  const builder = new TreeBuilder(groupLog);
  const pages = builder.push(bytes);
  const { pages: more, tree } = builder.finish();
  const parents = [...pages, ...more, tree.page].map((page) => page.parents);
  return {
    digest: tree.digest,
    length: tree.length,
    groupLog,
    top: tree.top,
    page: (index) => parents[index] ?? new Uint8Array(0),
  };
}
