import {
  type B3Digest,
  type BlobService,
  type ByteRange,
  type CallOptions,
  type DirectoryEntry,
  type DirectoryNode,
  type FileNode,
  type Node,
  type Path,
  type PathComponent,
  resolveRange,
} from "@tvix/castore";
import type { DirectoryLayout } from "./directory-layout.js";
import { type DirectoryLayouts, loadLayouts } from "./layout-loader.js";
import { LayoutWalk } from "./layout-walk.js";
import type { NarBlock } from "./nar-blocks.js";
import { entryHeadLength, fileHeadLength, leafLength, MAGIC_LENGTH } from "./nar-lengths.js";
import { NarRenderError } from "./nar-render-error.js";
import { type NarStep, type Place, pathOf } from "./nar-steps.js";
import { type CastoreServices, renderSteps, takeBlock } from "./renderer.js";

/** Blobs that are asked for at once when what is missing is looked for. */
const HAS_MANY_BLOBS = 4096;

/** Read again from where a read has failed: more than what is read ahead of the place of the failure. */
const PROBE_BYTES = 4 * 1024 * 1024;

/** What a layout without directories takes in memory, about. */
const OVERHEAD_BYTES = 1024;

/** A node of a tree, and where it is in the NAR. */
export interface LaidOutNode {
  readonly node: Node;
  /** Where the content of a file begins, in bytes from the start of the NAR; for others, the node. */
  readonly offset: number;
}

/** A file of a tree, and where its content is in the NAR. */
export interface LaidOutFile {
  readonly path: Path;
  readonly node: FileNode;
  /** Where the content begins, in bytes from the start of the NAR. */
  readonly offset: number;
}

/** A step through a tree, and where its node begins in the NAR; for a file, where its content does. */
export interface LaidOutStep {
  readonly step: NarStep;
  readonly offset: number;
}

/**
 * The NAR of a tree as something that can be read from anywhere: its length is known without a look
 * at a blob, and any range of it is found in O(log n) for each level of the tree.
 *
 * Holds every Directory once, encoded, and a number for each entry: some 60 bytes and its name for an
 * entry. Framing is made again from that. None of that changes, and what was read from the directory
 * service once is not read again.
 */
export class NarLayout {
  readonly root: Node;
  /** Length of the NAR in bytes. */
  readonly size: bigint;
  /** Nodes on the longest way down, root and leaf included; see `NAR_NESTING_LIMIT`. */
  readonly depth: number;
  /** What this takes in memory, in bytes, about. */
  readonly memoryBytes: number;
  readonly #blobs: BlobService;
  readonly #layouts: DirectoryLayouts;
  /** All blobs were there when they were looked for, and no read has failed since. */
  #isComplete = false;
  /** Where the last read that failed did so, in bytes from the start of the NAR. */
  #failedAt: number | undefined;

  private constructor(blobs: BlobService, root: Node, layouts: DirectoryLayouts) {
    this.root = root;
    this.#blobs = blobs;
    this.#layouts = layouts;
    const layout = root.type === "directory" ? this.#find(root) : undefined;
    const length = layout?.length ?? leafLength(root as Exclude<Node, DirectoryNode>);
    if (length + MAGIC_LENGTH > Number.MAX_SAFE_INTEGER && root.type !== "symlink") {
      throw new NarRenderError("too-large", root.digest, pathOf(undefined));
    }
    this.size = BigInt(MAGIC_LENGTH + length);
    this.depth = layout?.depth ?? 1;
    let memoryBytes = OVERHEAD_BYTES;
    for (const { memoryBytes: bytes } of layouts.values()) memoryBytes += bytes;
    this.memoryBytes = memoryBytes;
  }

  /**
   * Lays out the NAR of `root`, which takes all its Directories and no blob.
   *
   * @throws {@link NarRenderError} with reason "missing-directory" when one is not stored, the root
   *   included, "too-large" when the NAR would have 2^53 bytes or more
   */
  static async of(
    { blobs, directories }: CastoreServices,
    root: Node,
    options: CallOptions = {},
  ): Promise<NarLayout> {
    options.signal?.throwIfAborted();
    if (root.type !== "directory") return new NarLayout(blobs, root, new Map());
    return new NarLayout(blobs, root, await loadLayouts(directories, root, options));
  }

  /**
   * The bytes of `range`, one-shot; all of the NAR by default. Blobs are read ahead, and only those
   * that are in the range.
   *
   * @throws {@link CastoreError} "INVALID_ARGUMENT" when the range starts past the end;
   *   {@link NarRenderError} when a blob is missing or has another size than stated
   */
  async *stream(
    range: ByteRange = {},
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const block of this.#blocks(range, options)) yield takeBlock(block);
  }

  /**
   * {@link stream} without a copy of all bytes: each piece is valid only until the next one is asked for, whose
   * bytes may take its place.
   */
  async *lend(
    range: ByteRange = {},
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const { bytes, release } of this.#blocks(range, options)) {
      yield bytes;
      release();
    }
  }

  async *#blocks(
    range: ByteRange,
    options: CallOptions,
  ): AsyncGenerator<NarBlock, void, undefined> {
    const { start, end } = resolveRange(Number(this.size), range);
    options.signal?.throwIfAborted();
    if (start === end) return;
    const walk = new LayoutWalk(this.root, (node) => this.#find(node), { start, end });
    const { resumeAt, skip } = walk.beginning;
    const rendered = renderSteps(this.#blobs, () => walk, {
      ...options,
      resumeAt,
      expectedBytes: end - start,
    });
    let at = start - skip;
    try {
      for await (const block of rendered) {
        const { bytes } = block;
        const from = Math.max(0, start - at);
        const to = Math.min(bytes.byteLength, end - at);
        at += bytes.byteLength;
        if (from < to) yield { ...block, bytes: bytes.subarray(from, to) };
      }
    } catch (error) {
      if (options.signal?.aborted !== true) this.#distrust(Math.max(start, at));
      throw error;
    }
  }

  /** What `path` leads to, links not followed; `undefined` when there is nothing. */
  find(path: Path): LaidOutNode | undefined {
    let node = this.root;
    let offset = MAGIC_LENGTH;
    for (const name of path.components) {
      if (node.type !== "directory") return undefined;
      const layout = this.#find(node);
      const { entries } = layout.directory();
      const index = indexOf(entries, name);
      const entry = entries[index];
      if (entry === undefined) return undefined;
      node = entry.node;
      offset += layout.start(index) + entryHeadLength(name.byteLength);
    }
    return { node, offset: node.type === "file" ? offset + fileHeadLength(node) : offset };
  }

  /** All files, in the order of the NAR. */
  *files(): Generator<LaidOutFile, void, undefined> {
    for (const { step, offset } of this.steps()) {
      if (step.type === "file") yield { path: pathOf(step.place), node: step.node, offset };
    }
  }

  /** All steps through the tree, in the order of the NAR. */
  *steps(): Generator<LaidOutStep, void, undefined> {
    const range = { start: 0, end: Number(this.size) };
    const walk = new LayoutWalk(this.root, (node) => this.#find(node), range);
    while (!walk.atEnd) {
      const { nodeStart } = walk;
      const step = walk.next();
      yield {
        step,
        offset: step.type === "file" ? nodeStart + fileHeadLength(step.node) : nodeStart,
      };
    }
  }

  /**
   * Looks for a blob that is not stored, before any of them is read: an answer that has begun cannot
   * become another one. The Directories have all been there, and are kept here.
   *
   * That all is there is remembered until a read fails: content does not go away by itself. After a
   * failure the place where it was is read again first.
   *
   * @returns what {@link stream} would throw; `undefined` when all is there
   * @throws what reading throws where it has failed before
   */
  async missing(options: CallOptions = {}): Promise<NarRenderError | undefined> {
    await this.#readAgain(options);
    if (this.#isComplete) return undefined;
    for (const digests of this.#digests()) {
      const stored = await this.#blobs.hasMany(digests, options);
      const missing = digests.find((_, i) => stored[i] !== true);
      if (missing !== undefined) return this.#missingBlob(missing);
    }
    // A read may have failed meanwhile.
    this.#isComplete = this.#failedAt === undefined;
    return undefined;
  }

  #distrust(failedAt: number): void {
    this.#isComplete = false;
    this.#failedAt = failedAt;
  }

  /** @throws what reading throws, while it fails at the same place */
  async #readAgain(options: CallOptions): Promise<void> {
    const offset = this.#failedAt;
    if (offset === undefined) return;
    const length = Math.min(PROBE_BYTES, Number(this.size) - offset);
    for await (const _ of this.stream({ offset, length }, options)) {
      // Only whether it can be read counts.
    }
    if (this.#failedAt === offset) this.#failedAt = undefined;
  }

  /** The blobs of all files, some at a time; those of one directory are not repeated elsewhere. */
  *#digests(): Generator<readonly B3Digest[], void, undefined> {
    if (this.root.type === "file") yield [this.root.digest];
    let digests: B3Digest[] = [];
    for (const layout of this.#layouts.values()) {
      for (const { node } of layout.directory().entries) {
        if (node.type === "file") digests.push(node.digest);
        if (digests.length < HAS_MANY_BLOBS) continue;
        yield digests;
        digests = [];
      }
    }
    if (digests.length > 0) yield digests;
  }

  #missingBlob(digest: B3Digest): NarRenderError {
    let place: Place | undefined;
    for (const { step } of this.steps()) {
      if (step.type !== "file" || !step.node.digest.equals(digest)) continue;
      place = step.place;
      break;
    }
    return new NarRenderError("missing-blob", digest, pathOf(place));
  }

  #find(node: DirectoryNode): DirectoryLayout {
    // All of them were there when the lengths were added up.
    return this.#layouts.get(node.digest.key) as DirectoryLayout;
  }
}

/** Where an entry of that name is among `entries`; -1 when there is none. Takes O(log n). */
function indexOf(entries: readonly DirectoryEntry[], name: PathComponent): number {
  let low = 0;
  let high = entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = (entries[middle] as DirectoryEntry).name.compare(name);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
