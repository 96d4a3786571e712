import { equalBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { checkParent } from "./outboard.js";
import { groupValue, PARENT_BYTES, VALUE_BYTES } from "./tree-kernel.js";
import {
  childrenOf,
  decodeLength,
  GROUP_LOG,
  HEADER_BYTES,
  overlap,
  type SliceRange,
  type TreeNode,
  TreeShape,
} from "./tree-shape.js";

/** What is known beforehand of a slice. */
export interface SliceDecoderOptions {
  /** Length of the whole input; a slice that states another one is refused. */
  readonly inputLength?: number;
  /** Chunks of a group, as a power of two; 4 by default. */
  readonly groupLog?: number;
}

/** A node that is due, and what its value has to be. */
interface DueNode {
  readonly node: TreeNode;
  readonly value: Uint8Array;
}

/**
 * Checks a slice that comes in pieces from somebody who is not trusted. A group of the content is given out when
 * its bytes and all nodes above it have been compared with the digest, not before. What is kept meanwhile
 * is less than a group, whatever comes.
 */
export class SliceDecoder {
  readonly #digest: B3Digest;
  readonly #range: SliceRange;
  readonly #options: SliceDecoderOptions;
  #shape: TreeShape | undefined;
  #wanted: TreeNode = { first: 0, count: 1 };
  readonly #due: DueNode[] = [];
  /** What is there of the next header, parent or group. */
  #partial: Uint8Array | undefined;
  #filled = 0;
  #isLengthProved = false;

  /** @param range - that was asked for */
  constructor(digest: B3Digest, range: SliceRange, options: SliceDecoderOptions = {}) {
    this.#digest = digest;
    this.#range = range;
    this.#options = options;
  }

  /**
   * Length of the whole input, when it is proved: by the last group, which a slice has whose range reaches the
   * end or goes beyond it.
   */
  get inputLength(): number | undefined {
    return this.#isLengthProved ? this.#shape?.length : undefined;
  }

  /**
   * Takes the next bytes of the slice; gives the content of the range that they prove. They may be views of `bytes`.
   *
   * @throws {@link CastoreError} "CORRUPT" when something is wrong, or there are bytes past the end
   */
  push(bytes: Uint8Array): Uint8Array[] {
    const content: Uint8Array[] = [];
    for (let at = 0; at < bytes.byteLength; ) {
      const needed = this.#needed();
      if (needed === 0) throw this.#corrupt("its proof goes on past its end");
      if (this.#partial === undefined && bytes.byteLength - at >= needed) {
        this.#take(bytes.subarray(at, at + needed), content);
        at += needed;
        continue;
      }
      this.#partial ??= new Uint8Array(needed);
      const part = bytes.subarray(at, at + needed - this.#filled);
      this.#partial.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
      if (this.#filled === needed) this.#take(this.#partial, content);
    }
    return content;
  }

  /**
   * Ends the slice.
   *
   * @throws {@link CastoreError} "CORRUPT" when something is missing
   */
  finish(): void {
    if (this.#needed() > 0 || this.#partial !== undefined) {
      throw this.#corrupt("its proof ends early");
    }
  }

  /** Length of what comes next. */
  #needed(): number {
    if (this.#shape === undefined) return HEADER_BYTES;
    const due = this.#due.at(-1);
    if (due === undefined) return 0;
    return due.node.count > 1 ? PARENT_BYTES : this.#bytesOf(this.#shape, due.node);
  }

  #bytesOf(shape: TreeShape, node: TreeNode): number {
    return shape.endOf(node) - node.first * shape.groupBytes;
  }

  #take(bytes: Uint8Array, content: Uint8Array[]): void {
    this.#partial = undefined;
    this.#filled = 0;
    if (this.#shape === undefined) {
      this.#begin(bytes);
      return;
    }
    const { node, value } = this.#due.pop() as DueNode;
    if (node.count === 1) {
      this.#takeGroup(this.#shape, { node, value }, bytes, content);
      return;
    }
    checkParent(bytes, value, node.count === this.#shape.groups, this.#digest);
    // Kept longer than the piece that they came in.
    const values = bytes.slice();
    const [left, right] = childrenOf(node);
    this.#push(right, values.subarray(VALUE_BYTES));
    this.#push(left, values.subarray(0, VALUE_BYTES));
  }

  #begin(header: Uint8Array): void {
    const length = decodeLength(header);
    const { inputLength = length, groupLog = GROUP_LOG } = this.#options;
    if (length === undefined || length !== inputLength) {
      throw this.#corrupt(`it is to have ${length ?? "too many"} bytes`);
    }
    const shape = new TreeShape(length, groupLog);
    this.#shape = shape;
    this.#wanted = shape.groupsIn(this.#range);
    this.#push(shape.root, this.#digest.toBytes());
    // There are no bytes to wait for.
    if (length === 0) this.#take(header.subarray(0, 0), []);
  }

  #push(node: TreeNode, value: Uint8Array): void {
    if (overlap(node, this.#wanted)) this.#due.push({ node, value });
  }

  #takeGroup(
    shape: TreeShape,
    { node, value }: DueNode,
    bytes: Uint8Array,
    content: Uint8Array[],
  ): void {
    const start = node.first * shape.groupBytes;
    if (!equalBytes(groupValue(bytes, start, shape.groups === 1), value)) {
      throw this.#corrupt(`its bytes from ${start} on are wrong`);
    }
    if (node.first === shape.groups - 1) this.#isLengthProved = true;
    const { offset, length } = this.#range;
    const from = Math.max(0, offset - start);
    const to = Math.min(bytes.byteLength, offset + length - start);
    if (from < to) content.push(bytes.subarray(from, to));
  }

  #corrupt(state: string): CastoreError {
    return new CastoreError("CORRUPT", `Cannot read blob ${this.#digest}: ${state}`);
  }
}
