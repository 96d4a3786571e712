import type { NarEvent } from "./nar-event.js";
import type { TreeStep } from "./node-assembler.js";

/** What a step counts for besides the content of its file: what it takes in memory, about. */
const STEP_BYTES = 256;

const EMPTY = new Uint8Array(0);

/** Part of a tree: steps, and the content of each file among them, in order. */
export interface NarBatchContent {
  readonly steps: readonly TreeStep[];
  readonly blobs: readonly Uint8Array[];
  /** What it takes in memory, in bytes, about. */
  readonly weight: number;
}

/** Gathers events into pieces of work. */
export class NarBatch {
  #steps: TreeStep[] = [];
  #blobs: Uint8Array[] = [];
  #weight = 0;
  /** Of the file that has not ended; its content, once a piece of it has come. */
  #open: { readonly size: number; content: Uint8Array; filled: number } | undefined;

  /** Nothing while a file is open: what belongs together must not be taken apart. */
  get weight(): number {
    return this.#open === undefined ? this.#weight : 0;
  }

  add(event: NarEvent): void {
    if (event.type === "content") {
      this.#fill(event.bytes);
    } else if (event.type === "file-end") {
      this.#blobs.push(this.#open?.content ?? EMPTY);
      this.#open = undefined;
    } else {
      const size = event.type === "file" ? Number(event.size) : 0;
      if (event.type === "file") this.#open = { size, content: EMPTY, filled: 0 };
      this.#steps.push(event);
      this.#weight += STEP_BYTES + size;
    }
  }

  /** Keeps content where it lies if it is in one piece; else copies, however small the pieces are. */
  #fill(bytes: Uint8Array): void {
    const open = this.#open;
    if (open === undefined) return;
    if (bytes.byteLength === open.size) {
      open.content = bytes;
      return;
    }
    if (open.filled === 0) open.content = new Uint8Array(open.size);
    open.content.set(bytes, open.filled);
    open.filled += bytes.byteLength;
  }

  /** All that was added since the last time. */
  take(): NarBatchContent {
    const batch = { steps: this.#steps, blobs: this.#blobs, weight: this.#weight };
    this.#steps = [];
    this.#blobs = [];
    this.#weight = 0;
    return batch;
  }
}
