import {
  InvalidNameError,
  MAX_DIRECTORY_ENTRIES,
  MAX_NAME_LENGTH,
  MAX_SYMLINK_TARGET_LENGTH,
  PathComponent,
  SymlinkTarget,
} from "@tvix/castore";
import type { NarEvent } from "./nar-event.js";
import { NarFormatError, type NarFormatErrorReason } from "./nar-format-error.js";
import { MAX_NAR_FILE_BYTES, NAR_NESTING_LIMIT, type NarLimits } from "./nar-limits.js";
import { describeMismatch, startsWith } from "./nar-mismatch.js";
import { TokenWindow } from "./token-window.js";
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
} from "./wire.js";

/** Entries of all directories that are open at the same time: what a consumer has to hold. */
const MAX_OPEN_ENTRIES: number = 2 * MAX_DIRECTORY_ENTRIES;

/** What comes next. */
type State =
  | "magic"
  | "node"
  | "file-length"
  | "content"
  | "file-end"
  | "target"
  | "entry"
  | "name"
  | "nothing";

/** Where the word that tells the kind of a node has its first letter. */
const KIND_LETTER = 40;
/** Where `executable` or `contents` has its first letter. */
const FIELD_LETTER = 56;
/** Where a closing string, or `entry`, has its first letter. */
const ENTRY_LETTER = 8;
const [LETTER_D, LETTER_E, LETTER_S, CLOSING] = [0x64, 0x65, 0x73, 0x29];

/**
 * Reads a NAR that is pushed in chunks, cut anywhere: `push` a chunk, take events with `next` until
 * there are no more, and so on; `end` after the last. It waits for nothing, calls nobody and does not
 * recurse; besides the chunk it holds one string of the grammar and a name for each open directory.
 *
 * Every method throws a {@link NarFormatError} for what is not a NAR; no method may be called again
 * then.
 */
export class NarParser {
  readonly #window = new TokenWindow();
  readonly #maxDepth: number;
  readonly #maxFileBytes: number;
  readonly #maxEntries: number;
  readonly #maxNarSize: bigint | undefined;
  #pushed = 0;
  #state: State = "magic";
  /** Of the node that comes next. */
  #name: PathComponent | undefined;
  /** For each open directory the name that came last in it, and how many have come. */
  readonly #names: (PathComponent | undefined)[] = [];
  readonly #counts: number[] = [];
  #openEntries = 0;
  #executable = false;
  #contentLength = 0;
  #contentLeft = 0;

  constructor(limits: NarLimits = {}) {
    this.#maxDepth = limits.maxDepth ?? NAR_NESTING_LIMIT;
    this.#maxFileBytes = Math.min(limits.maxFileBytes ?? MAX_NAR_FILE_BYTES, MAX_NAR_FILE_BYTES);
    this.#maxEntries = Math.min(
      limits.maxDirectoryEntries ?? MAX_DIRECTORY_ENTRIES,
      MAX_DIRECTORY_ENTRIES,
    );
    this.#maxNarSize = limits.maxNarSize;
  }

  /** Whether the NAR is complete: the next byte is an error. */
  get complete(): boolean {
    return this.#state === "nothing";
  }

  /** Gives it more bytes, once {@link next} has returned `undefined`. They are not copied. */
  push(bytes: Uint8Array): void {
    this.#pushed += bytes.byteLength;
    const most = this.#maxNarSize;
    if (most !== undefined && this.#pushed > most) {
      throw new NarFormatError("nar-too-large", Number(most), `it has more than ${most} bytes`);
    }
    this.#window.push(bytes);
    if (this.#state === "nothing") this.#checkNothingLeft();
  }

  /** Says that no more bytes come. */
  end(): void {
    if (this.#state === "nothing") return;
    const { rest, offset, available } = this.#window;
    if (this.#state === "magic" && !startsWith(NAR_MAGIC, rest)) throw this.#badMagic();
    throw new NarFormatError("unexpected-end", offset + available, ENDS[this.#state]);
  }

  /** The next event; `undefined` when that takes more bytes, and when the NAR is complete. */
  next(): NarEvent | undefined {
    for (;;) {
      const state = this.#state;
      const event = this.#step(state);
      if (event !== undefined) return event;
      // A step without an event and without another state is one that lacks bytes.
      if (this.#state === state) return undefined;
    }
  }

  #step(state: State): NarEvent | undefined {
    switch (state) {
      case "magic":
        return this.#readMagic();
      case "node":
        return this.#readNode();
      case "file-length":
        return this.#readFileLength();
      case "content":
        return this.#readContent();
      case "file-end":
        return this.#readFileEnd();
      case "target":
        return this.#readTarget();
      case "entry":
        return this.#readEntry();
      case "name":
        return this.#readName();
      case "nothing":
        return undefined;
    }
  }

  #readMagic(): undefined {
    const window = this.#window;
    if (!window.need(NAR_MAGIC.byteLength)) return;
    if (!this.#holds(NAR_MAGIC)) throw this.#badMagic();
    window.take();
    this.#state = "node";
  }

  #readNode(): NarEvent | undefined {
    const window = this.#window;
    // The shortest: whatever node this is, so many bytes come.
    if (!window.need(NAR_DIRECTORY.byteLength)) return undefined;
    const kind = window.bytes[window.at + KIND_LETTER];
    if (kind === LETTER_D) return this.#readDirectory();
    if (kind === LETTER_S) {
      if (this.#takeRun(NAR_SYMLINK)) this.#state = "target";
      return undefined;
    }
    if (!window.need(NAR_FILE.byteLength)) return undefined;
    const executable = window.bytes[window.at + FIELD_LETTER] === LETTER_E;
    if (!this.#takeRun(executable ? NAR_EXECUTABLE : NAR_FILE)) return undefined;
    this.#executable = executable;
    this.#state = "file-length";
    return undefined;
  }

  #readDirectory(): NarEvent {
    this.#takeRun(NAR_DIRECTORY);
    this.#names.push(undefined);
    this.#counts.push(0);
    this.#state = "entry";
    return { type: "directory", name: this.#name };
  }

  #readFileLength(): NarEvent | undefined {
    const window = this.#window;
    if (!window.need(NAR_LENGTH_BYTES)) return undefined;
    const size = window.length();
    if (size > this.#maxFileBytes) {
      const detail = `a file of ${window.exactLength()} bytes, more than ${this.#maxFileBytes}`;
      throw this.#error("file-too-large", detail);
    }
    window.take();
    this.#contentLength = size;
    this.#contentLeft = size;
    this.#state = size === 0 ? "file-end" : "content";
    return { type: "file", name: this.#name, size: BigInt(size), executable: this.#executable };
  }

  #readContent(): NarEvent | undefined {
    const bytes = this.#window.takeContent(this.#contentLeft);
    if (bytes.byteLength === 0) return undefined;
    this.#contentLeft -= bytes.byteLength;
    if (this.#contentLeft === 0) this.#state = "file-end";
    return { type: "content", bytes };
  }

  #readFileEnd(): NarEvent | undefined {
    const padding = narPadding(this.#contentLength);
    if (!this.#window.need(padding + this.#closingLength())) return undefined;
    this.#checkPadding(0, padding);
    this.#closeNode(padding);
    return { type: "file-end" };
  }

  #readTarget(): NarEvent | undefined {
    const window = this.#window;
    const length = this.#needString(MAX_SYMLINK_TARGET_LENGTH, "target", this.#closingLength());
    if (length === undefined) return undefined;
    const start = window.at + NAR_LENGTH_BYTES;
    const target = this.#target(window.bytes.subarray(start, start + length));
    const end = NAR_LENGTH_BYTES + length;
    const padding = narPadding(length);
    this.#checkPadding(end, padding);
    this.#closeNode(end + padding);
    return { type: "symlink", name: this.#name, target };
  }

  #readEntry(): NarEvent | undefined {
    const window = this.#window;
    if (!window.need(NAR_CLOSE.byteLength)) return undefined;
    if (window.bytes[window.at + ENTRY_LETTER] !== CLOSING) {
      if (this.#takeRun(NAR_ENTRY)) this.#state = "name";
      return undefined;
    }
    const inner = this.#names.length > 1;
    if (inner && !window.need(2 * NAR_CLOSE.byteLength)) return undefined;
    this.#names.pop();
    this.#openEntries -= this.#counts.pop() as number;
    this.#closeNode(0);
    return { type: "directory-end" };
  }

  #readName(): undefined {
    const window = this.#window;
    const length = this.#needString(MAX_NAME_LENGTH, "name", NAR_NODE.byteLength);
    if (length === undefined) return;
    const start = window.at + NAR_LENGTH_BYTES;
    const name = this.#component(start, start + length);
    const end = NAR_LENGTH_BYTES + length;
    const padding = narPadding(length);
    this.#checkPadding(end, padding);
    this.#checkRun(NAR_NODE, end + padding);
    this.#enter(name);
    window.take();
    this.#name = name;
    this.#state = "node";
  }

  /** Accepts the name of the next entry, if it comes after the one before it and is not too much. */
  #enter(name: PathComponent): void {
    const level = this.#names.length - 1;
    const previous = this.#names[level];
    const order = previous === undefined ? -1 : previous.compare(name);
    if (order === 0) throw this.#error("duplicate", `"${name}" comes twice in a directory`);
    if (order > 0) throw this.#error("order", `"${name}" comes after "${previous}"`);
    if (this.#names.length >= this.#maxDepth) {
      throw this.#error("depth", `"${name}" is nested deeper than ${this.#maxDepth} levels`);
    }
    const count = (this.#counts[level] as number) + 1;
    if (count > this.#maxEntries || ++this.#openEntries > MAX_OPEN_ENTRIES) {
      const most = Math.min(this.#maxEntries, MAX_OPEN_ENTRIES);
      throw this.#error("too-many-entries", `a directory of more than ${most} entries`);
    }
    this.#names[level] = name;
    this.#counts[level] = count;
  }

  /**
   * Needs a string and `more` bytes after it.
   *
   * @returns its length, in bounds; `undefined` when bytes are lacking
   */
  #needString(most: number, what: "name" | "target", more: number): number | undefined {
    const window = this.#window;
    if (!window.need(NAR_LENGTH_BYTES)) return undefined;
    const length = window.length();
    if (length > most) {
      throw this.#error(what, `a ${what} of ${window.exactLength()} bytes, more than ${most}`);
    }
    if (length === 0) throw this.#error(what, `an empty ${what}`);
    const whole = NAR_LENGTH_BYTES + length + narPadding(length) + more;
    return window.need(whole) ? length : undefined;
  }

  #component(start: number, end: number): PathComponent {
    try {
      return PathComponent.fromRange(this.#window.bytes, start, end);
    } catch (cause) {
      if (!(cause instanceof InvalidNameError)) throw cause;
      const detail = `${cause.message.charAt(0).toLowerCase()}${cause.message.slice(1)}`;
      throw this.#error("name", detail, { cause });
    }
  }

  #target(bytes: Uint8Array): SymlinkTarget {
    const nul = bytes.indexOf(0);
    if (nul !== -1) throw this.#error("target", "a target contains a NUL byte");
    return SymlinkTarget.fromBytes(bytes);
  }

  /** Length of the strings that close the node that is open. */
  #closingLength(): number {
    return this.#names.length > 0 ? 2 * NAR_CLOSE.byteLength : NAR_CLOSE.byteLength;
  }

  /** Takes what is needed, which ends with the closing strings of a node, from `start` on. */
  #closeNode(start: number): void {
    this.#checkRun(NAR_CLOSE, start);
    const inner = this.#names.length > 0;
    if (inner) this.#checkRun(NAR_CLOSE, start + NAR_CLOSE.byteLength);
    this.#window.take();
    this.#state = inner ? "entry" : "nothing";
    if (!inner) this.#checkNothingLeft();
  }

  #checkNothingLeft(): void {
    const { available } = this.#window;
    if (available > 0) throw this.#error("trailing-data", "there is more after the archive");
  }

  /** Takes strings that come together. @returns whether they were there, in full */
  #takeRun(run: Uint8Array): boolean {
    if (!this.#window.need(run.byteLength)) return false;
    this.#checkRun(run, 0);
    this.#window.take();
    return true;
  }

  /** Whether what is needed starts with `run`. */
  #holds(run: Uint8Array, start = 0): boolean {
    const { bytes, at } = this.#window;
    for (let i = 0; i < run.byteLength; i++) {
      if (bytes[at + start + i] !== run[i]) return false;
    }
    return true;
  }

  #checkRun(run: Uint8Array, start: number): void {
    if (this.#holds(run, start)) return;
    const { bytes, at, offset } = this.#window;
    // Behind them may lie what came long ago.
    const there = bytes.subarray(0, at + start + run.byteLength);
    const { reason, detail, index } = describeMismatch(there, at + start, run);
    throw new NarFormatError(reason, offset + start + index, detail);
  }

  #checkPadding(start: number, length: number): void {
    const { bytes, at, offset } = this.#window;
    for (let i = start; i < start + length; i++) {
      if (bytes[at + i] !== 0) {
        throw new NarFormatError("padding", offset + i, "the padding of a string is not zero");
      }
    }
  }

  #badMagic(): NarFormatError {
    return this.#error("magic", "it does not start as a NAR does");
  }

  #error(reason: NarFormatErrorReason, detail: string, options?: ErrorOptions): NarFormatError {
    return new NarFormatError(reason, this.#window.offset, detail, options);
  }
}

/** What a NAR lacks that ends in each state. */
const ENDS: Record<Exclude<State, "nothing">, string> = {
  magic: "it ends before the archive begins",
  node: "it ends where a node should be",
  "file-length": "it ends before the length of a file",
  content: "it ends in the content of a file",
  "file-end": "it ends where a file should be closed",
  target: "it ends in the target of a symbolic link",
  entry: 'it ends where "entry" or ")" should be',
  name: "it ends in the name of an entry",
};
