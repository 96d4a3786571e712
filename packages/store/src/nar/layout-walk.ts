import type { Directory, Node } from "@tvix/castore";
import type { DirectoryLayout } from "./directory-layout.js";
import type { NarEncoderPosition } from "./nar-encoder.js";
import {
  CLOSE_LENGTH,
  DIRECTORY_HEAD_LENGTH,
  entryHeadLength,
  fileHeadLength,
  leafLength,
  MAGIC_LENGTH,
} from "./nar-lengths.js";
import type { FileStep, NarStep, NarStepSource, Place } from "./nar-steps.js";

/** Where a walk is in one directory. */
interface OpenLayout {
  readonly layout: DirectoryLayout;
  readonly directory: Directory;
  readonly place: Place | undefined;
  /** Position of its node in the NAR. */
  readonly base: number;
  /** Index of the next entry. */
  next: number;
}

/** How the steps of a walk, rendered, become the bytes that are wanted. */
export interface WalkBeginning {
  /** Where rendering goes on; `undefined` at the beginning of the NAR. */
  readonly resumeAt: NarEncoderPosition | undefined;
  /** How many of the rendered bytes come before the wanted ones: less than a step without content. */
  readonly skip: number;
}

/** Finds the layout of a directory. */
export type FindLayout = (node: Node & { readonly type: "directory" }) => DirectoryLayout;

/**
 * Goes through a tree whose layout is known, from the step that has byte `start` of the NAR to the
 * one that has byte `end` - 1; looks at nothing that comes before.
 */
export class LayoutWalk implements NarStepSource {
  readonly #find: FindLayout;
  readonly #end: number;
  readonly #open: OpenLayout[] = [];
  /** What comes next unless a directory ends. */
  #node: Node | undefined;
  #place: Place | undefined;
  /** Where the step that comes next begins, and the node in it. */
  #stepStart = 0;
  #nodeStart = MAGIC_LENGTH;
  /** Position in the content of the file that comes next, where rendering begins in it. */
  #contentStart = 0;
  readonly beginning: WalkBeginning;

  constructor(
    root: Node,
    find: FindLayout,
    range: { readonly start: number; readonly end: number },
  ) {
    this.#find = find;
    this.#end = range.end;
    this.#node = root;
    this.beginning = this.#seek(range.start);
  }

  get atEnd(): boolean {
    return this.#stepStart >= this.#end || (this.#node === undefined && this.#open.length === 0);
  }

  /** Where the node of the step that comes next begins in the NAR. */
  get nodeStart(): number {
    return this.#nodeStart;
  }

  next(): NarStep {
    const [node, place] = [this.#node, this.#place];
    if (node === undefined) {
      const closed = this.#open.pop() as OpenLayout;
      this.#advance(closed.base + closed.layout.length);
      return { type: "end" };
    }
    if (node.type === "directory") {
      this.#enter(node, place, 0);
      return { type: "directory", place };
    }
    const step =
      node.type === "symlink" ? ({ type: "symlink", place, node } as const) : this.#file();
    this.#advance(this.#nodeStart + leafLength(node));
    return step;
  }

  /** Never needed: all is known. */
  async open(): Promise<NarStep> {
    return this.next();
  }

  #file(): FileStep {
    const [node, place] = [this.#node as FileStep["node"], this.#place];
    const size = Number(node.size);
    const start = this.#contentStart;
    this.#contentStart = 0;
    const content = this.#nodeStart + fileHeadLength(node);
    const end = Math.min(size, Math.max(start, this.#end - content));
    const isAll = start === 0 && end === size;
    return { type: "file", place, node, ...(isAll ? {} : { range: { start, end } }) };
  }

  #enter(
    node: Node & { readonly type: "directory" },
    place: Place | undefined,
    index: number,
  ): void {
    const layout = this.#find(node);
    const directory = layout.directory();
    this.#open.push({ layout, directory, place, base: this.#nodeStart, next: index });
    this.#advance(this.#nodeStart + layout.start(index), false);
  }

  /** Goes to what comes after a node that ended at `end`, or to what begins there. */
  #advance(end: number, isClosed = true): void {
    const last = this.#open.at(-1);
    const entry = last?.directory.entries[last.next++];
    this.#node = entry?.node;
    this.#place = entry && { name: entry.name, parent: last?.place };
    this.#stepStart = isClosed && last !== undefined ? end + CLOSE_LENGTH : end;
    const head = entry === undefined ? 0 : entryHeadLength(entry.name.byteLength);
    this.#nodeStart = this.#stepStart + head;
  }

  /** Goes down to the step that has byte `offset`. */
  #seek(offset: number): WalkBeginning {
    for (;;) {
      const node = this.#node;
      if (node?.type !== "directory" || offset < this.#nodeStart + DIRECTORY_HEAD_LENGTH) break;
      const layout = this.#find(node);
      const at = offset - this.#nodeStart;
      this.#enter(node, this.#place, at < layout.closeStart ? layout.indexAt(at) : layout.entries);
    }
    if (this.#stepStart === 0) {
      const content = this.#seekContent(offset);
      return content ?? { resumeAt: undefined, skip: offset };
    }
    const resumeAt = { depth: this.#open.length };
    return this.#seekContent(offset) ?? { resumeAt, skip: offset - this.#stepStart };
  }

  /** Whether `offset` is in or behind the content of the file that comes next. */
  #seekContent(offset: number): WalkBeginning | undefined {
    const node = this.#node;
    if (node?.type !== "file") return undefined;
    const at = offset - this.#nodeStart - fileHeadLength(node);
    if (at <= 0) return undefined;
    const length = Number(node.size);
    this.#contentStart = Math.min(at, length);
    const content = { length, left: length - this.#contentStart };
    return {
      resumeAt: { depth: this.#open.length, content },
      skip: at - this.#contentStart,
    };
  }
}
