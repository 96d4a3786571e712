import { concatBytes } from "@tvix/castore";
import bzip2 from "unbzip2-stream/lib/bzip2.js";

/** Bytes of a header. */
const HEADER_BYTES = 4;

/** What a block of one unit of 100,000 bytes takes at most when it is written by bzip2, about. */
const UNIT_BYTES = 105_000;

/** Thrown by the bit reader; the block is read again when there is more. */
const NEEDS_MORE: Error = new Error("it was cut off");

/** What came of a step: bytes, a wish for so many more, or word that the file has ended. */
export type Bzip2Step =
  | { readonly type: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: "more"; readonly wanted: number }
  | { readonly type: "done" };

/**
 * Decompresses bzip2, one block at a time: a block makes at most 46 MB, however small it is, and takes up to
 * some tenths of a second. Takes several streams one after the other.
 *
 * The decoder is the one of `unbzip2-stream`; its stream would decompress all that it has been given
 * at once, which can be any amount.
 */
export class Bzip2Decoder {
  readonly #reader = new BitReader();
  readonly #stream = new StreamState();
  #wanted = HEADER_BYTES;

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  /**
   * Goes on to the next bytes.
   *
   * @param ended - nothing comes after what was pushed
   * @throws Error for what is no bzip2, or was cut off
   */
  step(ended: boolean): Bzip2Step {
    for (;;) {
      const { available } = this.#reader;
      if (!ended && available < this.#wanted) {
        return { type: "more", wanted: this.#wanted - available };
      }
      if (available === 0 && this.#stream.isBetween) {
        if (!this.#stream.hasBegun) throw NEEDS_MORE;
        return { type: "done" };
      }
      const bytes = this.#part(ended);
      if (bytes === undefined) this.#wanted = available + UNIT_BYTES;
      else this.#wanted = Math.max(HEADER_BYTES, this.#stream.blockSize * UNIT_BYTES);
      if (bytes !== undefined && bytes.byteLength > 0) return { type: "bytes", bytes };
    }
  }

  /** The next header or block; `undefined` when there is not all of it yet. */
  #part(ended: boolean): Uint8Array<ArrayBuffer> | undefined {
    const mark = this.#reader.mark();
    try {
      const bytes = this.#stream.read((count) => this.#reader.bits(count));
      this.#reader.forget();
      return bytes;
    } catch (error) {
      if (error !== NEEDS_MORE || ended) throw error;
      this.#reader.rewind(mark);
      return undefined;
    }
  }
}

/** Where in a file the decoder is. */
class StreamState {
  hasBegun = false;
  /** In units of 100,000 bytes; 0 between streams. */
  blockSize = 0;
  #check = 0;
  #work = new Int32Array(0);

  get isBetween(): boolean {
    return this.blockSize === 0;
  }

  /** Reads a header, a block or the end of a stream; changes nothing when it throws. */
  read(bits: (count: number | null) => number): Uint8Array<ArrayBuffer> {
    if (this.isBetween) {
      this.blockSize = bzip2.header(bits);
      this.#check = 0;
      this.hasBegun = true;
      this.#work = new Int32Array(100_000 * this.blockSize);
      return new Uint8Array(0);
    }
    const output = new GrowingBytes();
    const write = (byte: number): void => output.push(byte);
    const check = bzip2.decompress(bits, write, this.#work, this.#work.length, this.#check);
    if (check === null) this.blockSize = 0;
    else this.#check = check;
    return output.take();
  }
}

/** Bytes that come one by one. */
class GrowingBytes {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  push(byte: number): void {
    if (this.#length === this.#bytes.byteLength) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Bits, the highest of each byte first. */
class BitReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #waiting: Uint8Array[] = [];
  #waitingLength = 0;
  /** In bits. */
  #position = 0;

  /** Whole bytes that are left. */
  get available(): number {
    return this.#bytes.byteLength + this.#waitingLength - Math.ceil(this.#position / 8);
  }

  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingLength += bytes.byteLength;
  }

  mark(): number {
    this.#join();
    return this.#position;
  }

  rewind(mark: number): void {
    this.#position = mark;
  }

  /** What has been read is not needed any more. */
  forget(): void {
    this.#bytes = this.#bytes.subarray(this.#position >>> 3);
    this.#position &= 7;
  }

  /** @param count - of bits, at most 32; `null` goes on to the next byte */
  bits(count: number | null): number {
    if (count === null) {
      this.#position = (this.#position + 7) & ~7;
      return 0;
    }
    let result = 0;
    for (let left = count; left > 0; ) {
      const byte = this.#bytes[this.#position >>> 3];
      if (byte === undefined) throw NEEDS_MORE;
      const inByte = 8 - (this.#position & 7);
      const taken = Math.min(left, inByte);
      result = (result << taken) | ((byte >>> (inByte - taken)) & ((1 << taken) - 1));
      this.#position += taken;
      left -= taken;
    }
    return result;
  }

  #join(): void {
    if (this.#waitingLength === 0) return;
    this.#bytes = concatBytes([this.#bytes, ...this.#waiting]);
    this.#waiting = [];
    this.#waitingLength = 0;
  }
}
