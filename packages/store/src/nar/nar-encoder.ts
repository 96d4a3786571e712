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
  readonly #lasting: boolean;
  #staging = new Uint8Array(NAR_STAGING_BYTES);
  #view = new DataView(this.#staging.buffer);
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
    this.#lasting = options.lasting ?? false;
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
    this.#expect("content", "content");
    if (bytes.byteLength > this.#contentLeft) {
      throw new RangeError(`Cannot write a NAR: a file has more than ${this.#contentLength} bytes`);
    }
    this.#contentLeft -= bytes.byteLength;
    if (bytes.byteLength < NAR_PASS_THROUGH_BYTES) {
      this.#put(bytes);
    } else {
      this.#flush();
      this.#sink(bytes);
    }
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
    this.#staging.fill(0, this.#end, this.#end + padding);
    this.#end += padding;
  }

  /** @param bytes - fewer than fit the staging buffer */
  #put(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#staging.set(bytes, this.#end);
    this.#end += bytes.byteLength;
  }

  /** Makes room for so many bytes at the end of what is staged. */
  #reserve(length: number): void {
    if (this.#end + length <= NAR_STAGING_BYTES) return;
    this.#flush();
    if (this.#lasting) {
      this.#staging = new Uint8Array(NAR_STAGING_BYTES);
      this.#view = new DataView(this.#staging.buffer);
    }
    this.#start = 0;
    this.#end = 0;
  }

  #flush(): void {
    if (this.#end > this.#start) this.#sink(this.#staging.subarray(this.#start, this.#end));
    // What lasts must not be written over: the next bytes come behind it.
    if (!this.#lasting) this.#end = 0;
    this.#start = this.#end;
  }
}

/** Whether `name` comes after the first `length` bytes of `last`; allocates nothing. */
function isAfter(name: Uint8Array, last: Uint8Array, length: number): boolean {
  const common = Math.min(name.byteLength, length);
  for (let i = 0; i < common; i++) {
    if (name[i] !== last[i]) return (name[i] as number) > (last[i] as number);
  }
  return name.byteLength > length;
}
