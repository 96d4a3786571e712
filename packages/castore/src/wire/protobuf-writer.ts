/**
 * Writes the canonical protobuf encoding into an array of exactly the right size: the length of a
 * message is computed first, from `varintLength()` and its kin.
 */

/** What can put its bytes somewhere: digests, names, targets. */
export interface ByteSource {
  writeTo(target: Uint8Array, offset: number): void;
}

/** Low bits of a 64-bit integer that fit a double exactly: those of seven bytes of a varint. */
const LOW_BITS = 49n;
const LOW_MASK = (1n << LOW_BITS) - 1n;
const LOW_LENGTH = 7;

/** Length of the varint of an integer of at most 2^53-1. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/**
 * Length of the varint of a 64-bit integer.
 *
 * @throws {@link RangeError} when it is negative or does not fit 64 bits
 */
export function uint64Length(value: bigint): number {
  const small = Number(value);
  if (small >= 0 && small <= Number.MAX_SAFE_INTEGER) return varintLength(small);
  if (BigInt.asUintN(64, value) !== value) {
    throw new RangeError(`Cannot encode ${value}: expected 0 to 2^64-1`);
  }
  return LOW_LENGTH + varintLength(Number(value >> LOW_BITS));
}

/** @internal */
export class ProtobufWriter {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
  }

  /** Writes the tag of a field; numbers up to 15 take one byte. */
  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  /** Writes an integer of at most 2^53-1. */
  varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
      this.#bytes[this.#offset++] = (rest & 0x7f) | 0x80;
    }
    this.#bytes[this.#offset++] = rest;
  }

  /** Writes an integer that {@link uint64Length} accepts. */
  uint64(value: bigint): void {
    const small = Number(value);
    if (small <= Number.MAX_SAFE_INTEGER) {
      this.varint(small);
      return;
    }
    let low = Number(value & LOW_MASK);
    for (let i = 0; i < LOW_LENGTH; i++, low = Math.floor(low / 0x80)) {
      this.#bytes[this.#offset++] = (low & 0x7f) | 0x80;
    }
    this.varint(Number(value >> LOW_BITS));
  }

  /** Writes the length and the bytes of `source`. */
  bytes(source: ByteSource, length: number): void {
    this.varint(length);
    source.writeTo(this.#bytes, this.#offset);
    this.#offset += length;
  }

  /** The encoding: the writer's own array, of which nothing may be left to write. */
  finish(): Uint8Array {
    if (this.#offset !== this.#bytes.byteLength) {
      throw new Error(`Encoded ${this.#offset} bytes where ${this.#bytes.byteLength} were due`);
    }
    return this.#bytes;
  }
}
