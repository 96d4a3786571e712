import { MAX_NAME_LENGTH } from "@tvix/castore";
import type { TreeObserver } from "@tvix/castore/fs";
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

/** Takes the next bytes of a NAR. */
export type NarSink = (bytes: Uint8Array) => void;

export interface NarEncoderOptions {
  /**
   * Whether what the sink gets stays as it is. By default it is valid during the call only, for the
   * buffer is used again. Content of {@link NAR_PASS_THROUGH_BYTES} or more reaches the sink as the
   * very array that was given to `fileBytes`, in any case.
   */
  readonly lasting?: boolean;
  /**
   * Gives the memory for what comes next, of at least so many bytes: in the beginning, and whenever
   * what there was is full. What the sink gets lies there and stays as it is.
   */
  readonly memory?: (minBytes: number) => Uint8Array;
  /** Whether content never reaches the sink as the array that was given to `fileBytes`. */
  readonly copies?: boolean;
  /** Goes on in the middle of a NAR; at its beginning by default. */
  readonly resumeAt?: NarEncoderPosition;
}

/** A place inside a NAR: between two entries, or in the content of a file. */
export interface NarEncoderPosition {
  /** Number of directories that are open. */
  readonly depth: number;
  /** Length and rest of the file that is open. */
  readonly content?: { readonly length: number; readonly left: number };
}

/** Framing and small files are gathered until they make up a write of this size. */
export const NAR_STAGING_BYTES: number = 256 * 1024;

/** From this size on a piece of content goes to the sink as it is; below, copying costs less. */
export const NAR_PASS_THROUGH_BYTES: number = 16 * 1024;

/** What may come next. */
type State = "node" | "entry" | "content" | "nothing";

/**
 * Writes the NAR of the tree it observes to a sink, in few large pieces. The last one comes with the
 * call that completes the tree.
 *
 * Calls in another order than {@link TreeObserver} states throw a TypeError; names out of order, and
 * content that is not as long as announced, a RangeError. What reached the sink is of no use then.
 */
export class NarEncoder implements TreeObserver {
  readonly #sink: NarSink;
  readonly #memory: ((minBytes: number) => Uint8Array) | undefined;
  readonly #passThroughBytes: number;
  #staging: Uint8Array;
  #view: DataView;
  /** What lies between start and end of the staging buffer has not reached the sink yet. */
  #start = 0;
  #end = 0;
  #state: State = "node";
  /** Number of directories that are open. */
  #depth = 0;
  /** For each open directory the last name in it, to check the order; reused. */
  readonly #names: Uint8Array[] = [];
  readonly #nameLengths: number[] = [];
  #contentLength = 0;
  #contentLeft = 0;

  constructor(sink: NarSink, options: NarEncoderOptions = {}) {
    this.#sink = sink;
    this.#memory = options.memory ?? (options.lasting === true ? newStaging : undefined);
    this.#passThroughBytes =
      options.copies === true ? Number.POSITIVE_INFINITY : NAR_PASS_THROUGH_BYTES;
    this.#staging = this.#memory?.(0) ?? newStaging();
    this.#view = viewOf(this.#staging);
    if (options.resumeAt === undefined) this.#put(NAR_MAGIC);
    else this.#resume(options.resumeAt);
  }

  /** The order of names is checked from here on only: the ones before are not known. */
  #resume({ depth, content }: NarEncoderPosition): void {
    for (let level = 0; level < depth; level++) this.#openDirectory();
    if (content === undefined) return;
    this.#contentLength = content.length;
    this.#contentLeft = content.left;
    this.#state = "content";
  }

  /** Whether the tree is complete; the sink has got all of its NAR then. */
  get complete(): boolean {
    return this.#state === "nothing";
  }

  beginDirectory(): void {
    this.#expect("node", "a directory");
    this.#put(NAR_DIRECTORY);
    this.#openDirectory();
  }

  #openDirectory(): void {
    if (this.#names.length === this.#depth) this.#names.push(new Uint8Array(MAX_NAME_LENGTH));
    this.#nameLengths[this.#depth] = 0;
    this.#depth++;
    this.#state = "entry";
  }

  entry(name: Uint8Array): void {
    this.#expect("entry", "an entry");
    this.#checkOrder(name);
    this.#put(NAR_ENTRY);
    this.#putString(name);
    this.#put(NAR_NODE);
    this.#state = "node";
  }

  endDirectory(): void {
    this.#expect("entry", "the end of a directory");
    this.#depth--;
    this.#endNode();
  }

  beginFile(size: number, executable: boolean): void {
    this.#expect("node", "a file");
    this.#put(executable ? NAR_EXECUTABLE : NAR_FILE);
    this.#putLength(size);
    this.#contentLength = size;
    this.#contentLeft = size;
    this.#state = "content";
  }

  fileBytes(bytes: Uint8Array): void {
    this.#takeContent(bytes.byteLength);
    if (bytes.byteLength < this.#passThroughBytes) {
      this.#putContent(bytes);
    } else {
      this.#flush();
      this.#sink(bytes);
    }
  }

  /**
   * The place of the next `length` bytes of content, for the caller to fill before what the sink got is
   * used: all in one piece.
   */
  contentPlace(length: number): Uint8Array {
    this.#takeContent(length);
    this.#reserve(length);
    const start = this.#end;
    this.#end += length;
    return this.#staging.subarray(start, this.#end);
  }

  #takeContent(length: number): void {
    this.#expect("content", "content");
    if (length > this.#contentLeft) {
      throw new RangeError(`Cannot write a NAR: a file has more than ${this.#contentLength} bytes`);
    }
    this.#contentLeft -= length;
  }

  /** Fills up the memory that there is before it asks for more. */
  #putContent(bytes: Uint8Array): void {
    let rest = bytes;
    while (this.#memory !== undefined && rest.byteLength > this.#staging.byteLength - this.#end) {
      const room = this.#staging.byteLength - this.#end;
      this.#put(rest.subarray(0, room));
      rest = rest.subarray(room);
      this.#reserve(1);
    }
    this.#put(rest);
  }

  endFile(): void {
    this.#expect("content", "the end of a file");
    if (this.#contentLeft > 0) {
      const got = this.#contentLength - this.#contentLeft;
      throw new RangeError(
        `Cannot write a NAR: a file has ${got} bytes, not ${this.#contentLength}`,
      );
    }
    this.#putPadding(this.#contentLength);
    this.#endNode();
  }

  symlink(target: Uint8Array): void {
    this.#expect("node", "a symbolic link");
    this.#put(NAR_SYMLINK);
    this.#putString(target);
    this.#endNode();
  }

  /** Gives the sink all that there is; needed only where a NAR is left before its end. */
  flush(): void {
    this.#flush();
  }

  #endNode(): void {
    this.#put(NAR_CLOSE);
    if (this.#depth > 0) {
      this.#put(NAR_CLOSE);
      this.#state = "entry";
    } else {
      this.#state = "nothing";
      this.#flush();
    }
  }

  #expect(state: State, what: string): void {
    if (this.#state !== state) {
      throw new TypeError(`Cannot write a NAR: ${what} has no place here`);
    }
  }

  #checkOrder(name: Uint8Array): void {
    const level = this.#depth - 1;
    const last = this.#names[level] as Uint8Array;
    if (!isAfter(name, last, this.#nameLengths[level] as number)) {
      throw new RangeError("Cannot write a NAR: the names in a directory are not in order");
    }
    last.set(name);
    this.#nameLengths[level] = name.byteLength;
  }

  #putString(bytes: Uint8Array): void {
    this.#putLength(bytes.byteLength);
    this.#put(bytes);
    this.#putPadding(bytes.byteLength);
  }

  #putLength(length: number): void {
    this.#reserve(NAR_LENGTH_BYTES);
    this.#view.setUint32(this.#end, length % 2 ** 32, true);
    this.#view.setUint32(this.#end + 4, Math.floor(length / 2 ** 32), true);
    this.#end += NAR_LENGTH_BYTES;
  }

  #putPadding(length: number): void {
    const padding = narPadding(length);
    this.#reserve(padding);
    // The buffer has been used before: it is not all zeros.
    for (const end = this.#end + padding; this.#end < end; this.#end++)
      this.#staging[this.#end] = 0;
  }

  /** @param bytes - fewer than fit the staging buffer */
  #put(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#staging.set(bytes, this.#end);
    this.#end += bytes.byteLength;
  }

  /** Makes room for so many bytes at the end of what is staged. */
  #reserve(length: number): void {
    if (this.#end + length <= this.#staging.byteLength) return;
    this.#flush();
    if (this.#memory !== undefined) {
      this.#staging = this.#memory(length);
      this.#view = viewOf(this.#staging);
    }
    this.#start = 0;
    this.#end = 0;
  }

  #flush(): void {
    if (this.#end > this.#start) this.#sink(this.#staging.subarray(this.#start, this.#end));
    // What lasts must not be written over: the next bytes come behind it.
    if (this.#memory === undefined) this.#end = 0;
    this.#start = this.#end;
  }
}

function newStaging(minBytes = 0): Uint8Array {
  return new Uint8Array(Math.max(minBytes, NAR_STAGING_BYTES));
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Whether `name` comes after the first `length` bytes of `last`; allocates nothing. */
function isAfter(name: Uint8Array, last: Uint8Array, length: number): boolean {
  const common = Math.min(name.byteLength, length);
  for (let i = 0; i < common; i++) {
    if (name[i] !== last[i]) return (name[i] as number) > (last[i] as number);
  }
  return name.byteLength > length;
}
