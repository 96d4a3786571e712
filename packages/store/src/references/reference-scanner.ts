/**
 * Finds store paths in bytes as Nix does: by the 32 characters of their digests, wherever they stand.
 *
 * This is a kernel: short names, indices known to be in range. A window of 32 bytes is looked at from
 * its end; a byte that is no digit of nixbase32 rules out every window that holds it, so most bytes of
 * most content are never looked at. In a run of digits the last four of each window, twenty bits, ask a
 * table whether any candidate ends so.
 */
import { toUtf8 } from "@tvix/castore";
import { encodeNixBase32, NIXBASE32_ALPHABET, nixBase32Length } from "../nixbase32.js";
import { STORE_PATH_DIGEST_LENGTH, type StorePath } from "../store-path/store-path.js";

/** Characters of a digest. */
const WINDOW = nixBase32Length(STORE_PATH_DIGEST_LENGTH);

const NOT_A_DIGIT = 0xff;
const VALUES = new Uint8Array(256).fill(NOT_A_DIGIT);
for (let value = 0; value < NIXBASE32_ALPHABET.length; value++) {
  VALUES[NIXBASE32_ALPHABET.charCodeAt(value)] = value;
}

/** Digits that index the table, and their bits. */
const KEY_DIGITS = 4;
const KEY_MASK = (1 << (5 * KEY_DIGITS)) - 1;

/** A digest that is looked for. */
interface Needle {
  /** {@link WINDOW} bytes. */
  readonly text: Uint8Array;
  /** Where in the list of candidates it occurs. */
  readonly positions: number[];
}

/**
 * Looks for store paths, or digests of store paths (20 bytes), in bytes that arrive in pieces of any
 * size. A digest that lies in several pieces is found, and so are digests that overlap.
 */
export class ReferenceScanner<C extends StorePath | Uint8Array = StorePath> {
  readonly #candidates: readonly C[];
  /** Those not found yet, by the last digits. */
  readonly #needles = new Map<number, Needle[]>();
  /** A bit for each key of {@link #needles}. */
  readonly #table = new Uint8Array((KEY_MASK + 1) >>> 3);
  readonly #found = new Set<number>();
  /** The last bytes of what came, too few to hold a digest, with room for as many more. */
  readonly #joint = new Uint8Array(2 * (WINDOW - 1));
  #jointLength = 0;

  private constructor(candidates: readonly C[]) {
    this.#candidates = candidates;
    const byDigest = new Map<string, Needle>();
    candidates.forEach((candidate, position) => {
      const digest = digestText(candidate);
      const needle = byDigest.get(digest) ?? { text: toUtf8(digest), positions: [] };
      byDigest.set(digest, needle);
      needle.positions.push(position);
    });
    for (const needle of byDigest.values()) this.#add(needle);
  }

  /** Looks for each of `candidates`; several of one digest are found together. */
  static of<C extends StorePath | Uint8Array>(candidates: Iterable<C>): ReferenceScanner<C> {
    return new ReferenceScanner([...candidates]);
  }

  /** Whether all candidates have been found, so that there is no use in going on. */
  get complete(): boolean {
    return this.#needles.size === 0;
  }

  /** Takes the next bytes; they are not kept. */
  push(bytes: Uint8Array): void {
    if (this.complete) return;
    const length = Math.min(bytes.byteLength, WINDOW - 1);
    this.#joint.set(bytes.subarray(0, length), this.#jointLength);
    const jointLength = this.#jointLength + length;
    this.#scan(this.#joint.subarray(0, jointLength));
    this.#scan(bytes);
    const last = length < WINDOW - 1 ? this.#joint.subarray(0, jointLength) : bytes;
    this.#jointLength = Math.min(last.byteLength, WINDOW - 1);
    this.#joint.set(last.subarray(last.byteLength - this.#jointLength));
  }

  /** What comes next does not follow what came, as at the start of another file. */
  separate(): void {
    this.#jointLength = 0;
  }

  /** The candidates that have been found, in the order in which they were given. */
  found(): readonly C[] {
    return this.#candidates.filter((_, position) => this.#found.has(position));
  }

  #add(needle: Needle): void {
    const key = lastDigits(needle.text, WINDOW);
    const namesakes = this.#needles.get(key);
    if (namesakes === undefined) this.#needles.set(key, [needle]);
    else namesakes.push(needle);
    this.#table[key >>> 3] = (this.#table[key >>> 3] as number) | (1 << (key & 7));
  }

  #scan(bytes: Uint8Array): void {
    const length = bytes.byteLength;
    const table = this.#table;
    let start = 0;
    // What lies before this index, from `start` on, is known to be digits.
    let known = 0;
    while (start + WINDOW <= length) {
      let i = start + WINDOW - 1;
      while (i >= known && VALUES[bytes[i] as number] !== NOT_A_DIGIT) i--;
      known = start + WINDOW;
      if (i >= start && VALUES[bytes[i] as number] === NOT_A_DIGIT) {
        start = i + 1;
        continue;
      }
      let key = lastDigits(bytes, known);
      for (;;) {
        if (((table[key >>> 3] as number) >>> (key & 7)) & 1) this.#compare(bytes, start, key);
        start++;
        if (known === length) return;
        const value = VALUES[bytes[known] as number] as number;
        known++;
        if (value === NOT_A_DIGIT) break;
        key = ((key << 5) | value) & KEY_MASK;
      }
      start = known;
    }
  }

  /** Compares the window at `start` with the needles of that key. */
  #compare(bytes: Uint8Array, start: number, key: number): void {
    const needles = this.#needles.get(key) ?? [];
    const index = needles.findIndex(({ text }) => matchesAt(bytes, start, text));
    const needle = needles[index];
    if (needle === undefined) return;
    for (const position of needle.positions) this.#found.add(position);
    needles.splice(index, 1);
    if (needles.length > 0) return;
    this.#needles.delete(key);
    this.#table[key >>> 3] = (this.#table[key >>> 3] as number) & ~(1 << (key & 7));
  }
}

function digestText(candidate: StorePath | Uint8Array): string {
  if (candidate instanceof Uint8Array) {
    if (candidate.byteLength !== STORE_PATH_DIGEST_LENGTH) {
      throw new RangeError(
        `Cannot look for a digest of ${candidate.byteLength} bytes: expected ${STORE_PATH_DIGEST_LENGTH}`,
      );
    }
    return encodeNixBase32(candidate);
  }
  return encodeNixBase32(candidate.digestBytes());
}

function matchesAt(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let i = 0; i < WINDOW; i++) {
    if (bytes[start + i] !== text[i]) return false;
  }
  return true;
}

/** The value of the last digits before `end`, all of which are digits. */
function lastDigits(bytes: Uint8Array, end: number): number {
  let key = 0;
  for (let i = end - KEY_DIGITS; i < end; i++) {
    key = (key << 5) | (VALUES[bytes[i] as number] as number);
  }
  return key;
}
