import { MAX_SYMLINK_TARGET_LENGTH } from "@tvix/castore";
import { NAR_CLOSE, narStringLength } from "./wire.js";

/** The longest that is ever needed in one piece: a target and the two closing strings after it. */
const LONGEST_NEED: number = narStringLength(MAX_SYMLINK_TARGET_LENGTH) + 2 * NAR_CLOSE.byteLength;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Makes strings that lie across the border of two chunks contiguous, and nothing else: what is
 * needed is looked at where it lies as long as one chunk has all of it.
 *
 * Use: `need(n)` until it says yes, read `n` bytes of {@link bytes} from {@link at}, `take()`. A
 * larger need may replace a smaller one before that.
 */
export class TokenWindow {
  /** Holds what was needed last, from {@link at} on. */
  bytes: Uint8Array = NOTHING;
  at = 0;
  /** Where {@link at} is in the stream. */
  offset = 0;
  #view: DataView = new DataView(NOTHING.buffer);
  #needed = 0;
  #chunk = NOTHING;
  #chunkView: DataView = new DataView(NOTHING.buffer);
  /** Of the first byte in the chunk that has not been taken or carried over. */
  #next = 0;
  readonly #carry = new Uint8Array(LONGEST_NEED);
  readonly #carryView = new DataView(this.#carry.buffer);
  #carried = 0;

  /** Bytes that were pushed and not taken. */
  get available(): number {
    return this.#carried + this.#chunk.byteLength - this.#next;
  }

  /** Bytes that were pushed and not taken, where they are few enough to lie in one piece. */
  get rest(): Uint8Array {
    return this.#carried > 0
      ? this.#carry.subarray(0, this.#carried)
      : this.#chunk.subarray(this.#next);
  }

  /** Goes on with the next chunk, the one before having been used up. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#chunkView = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#next = 0;
  }

  /** Whether `length` bytes are there; what there is of them is kept for the next time. */
  need(length: number): boolean {
    const missing = length - this.#carried;
    const there = this.#chunk.byteLength - this.#next;
    if (this.#carried === 0 && there >= length) {
      this.bytes = this.#chunk;
      this.#view = this.#chunkView;
      this.at = this.#next;
      this.#needed = length;
      return true;
    }
    const moved = Math.min(missing, there);
    if (moved > 0) {
      this.#carry.set(this.#chunk.subarray(this.#next, this.#next + moved), this.#carried);
      this.#carried += moved;
      this.#next += moved;
    }
    if (this.#carried < length) return false;
    this.bytes = this.#carry;
    this.#view = this.#carryView;
    this.at = 0;
    this.#needed = length;
    return true;
  }

  /** The 64-bit number at the start of what is needed; inexact, but still too large, from 2^53 on. */
  length(): number {
    return this.#view.getUint32(this.at + 4, true) * 2 ** 32 + this.#view.getUint32(this.at, true);
  }

  /** {@link length} in full, for messages. */
  exactLength(): bigint {
    return this.#view.getBigUint64(this.at, true);
  }

  /** Moves on behind what was needed last. */
  take(): void {
    if (this.#carried > 0) this.#carried = 0;
    else this.#next += this.#needed;
    this.offset += this.#needed;
    this.#needed = 0;
  }

  /** Takes up to `most` bytes out of the chunk, without a copy; none if it is used up. */
  takeContent(most: number): Uint8Array {
    const content = this.#chunk.subarray(this.#next, this.#next + most);
    this.#next += content.byteLength;
    this.offset += content.byteLength;
    return content;
  }
}
