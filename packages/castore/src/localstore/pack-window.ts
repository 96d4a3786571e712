import type { PackReader } from "./pack-reader.js";

/** How much of a pack is read at once. */
export const WINDOW_BYTES: number = 256 * 1024;

/** Less is not worth a call of its own. */
const MIN_READ_BYTES = 16 * 1024;

/** A part of a pack in memory, for readers that go through it from front to back. */
export class PackWindow {
  readonly #packs: PackReader;
  readonly #memory = new Uint8Array(WINDOW_BYTES);
  #pack = -1;
  #start = 0;
  #end = 0;
  /** What will be asked for from now on, in bytes, about. */
  #expected = 0;

  constructor(packs: PackReader) {
    this.#packs = packs;
  }

  holds(pack: number, offset: number, length: number): boolean {
    return pack === this.#pack && offset >= this.#start && offset + length <= this.#end;
  }

  /**
   * Bytes of a pack; valid until the next call. What is not in memory is read together with what
   * follows.
   *
   * @returns `undefined` when the pack ends before, or they are too many for a window
   * @throws the error of the system
   */
  view(pack: number, offset: number, length: number): Uint8Array | undefined {
    if (!this.holds(pack, offset, length)) {
      if (length > WINDOW_BYTES) return undefined;
      this.#load(pack, offset, length);
      if (!this.holds(pack, offset, length)) return undefined;
    }
    const at = offset - this.#start;
    return this.#memory.subarray(at, at + length);
  }

  /**
   * Lets the next call read from the file.
   *
   * @param expectedBytes - what will be asked for from now on, about; no more is read than that
   */
  forget(expectedBytes: number = WINDOW_BYTES): void {
    this.#end = this.#start;
    this.#expected = expectedBytes;
  }

  #load(pack: number, offset: number, length: number): void {
    this.#end = this.#start;
    const wanted = Math.min(WINDOW_BYTES, Math.max(length, this.#expected, MIN_READ_BYTES));
    const bytes = this.#packs.readInto(this.#memory.subarray(0, wanted), pack, offset);
    this.#pack = pack;
    this.#start = offset;
    this.#end = offset + bytes.byteLength;
  }
}
