/**
 * Numbers that look random and are the same on every run and every machine: the sfc32 generator
 * (small fast counting, by Chris Doty-Humphrey, in the public domain).
 */
export class SeededRandom {
  #a = 0;
  #b: number;
  #c = 0;
  #counter = 1;

  /** @param seed - any integer; its low 32 bits count */
  constructor(seed: number) {
    this.#b = seed | 0;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** An integer from 0 to 2^32-1. */
  uint32(): number {
    const result = (((this.#a + this.#b) | 0) + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** An integer from 0 to `limit` - 1; `limit` is at most 2^32. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * limit);
  }

  /** One of `choices`, which must not be empty. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** So many bytes: they do not compress, and no two parts of them are alike. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    const whole = length - (length % 4);
    for (let i = 0; i < whole; i += 4) view.setUint32(i, this.uint32(), true);
    for (let i = whole; i < length; i++) bytes[i] = this.uint32();
    return bytes;
  }
}

/** `length` bytes that depend on nothing but `seed`. */
export function seededBytes(seed: number, length: number): Uint8Array {
  return new SeededRandom(seed).bytes(length);
}
