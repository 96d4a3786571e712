/**
 * The split virtqueue of virtio 1.2, 2.7: the side of the device.
 *
 *     descriptors   { address u64 | length u32 | flags u16 | next u16 } for each of `size`
 *     available     flags u16 | index u16 | head u16 for each of `size` | used_event u16
 *     used          flags u16 | index u16 | { head u32 | length u32 } for each of `size` | avail_event u16
 *
 * The guest writes the first two while they are read, so that each index is loaded once and then checked. Typed arrays have the
 * order of bytes of the machine: the lowest first on all that this runs on.
 */
import { VirtiofsError } from "./virtiofs-error.js";

const FLAGS = 0;
const INDEX = 1;
const RING = 2;
const NO_INTERRUPT = 1;

/** The parts of a ring in the memory of the guest. */
export interface RingParts {
  readonly descriptors: Uint8Array;
  readonly available: Uint8Array;
  readonly used: Uint8Array;
}

/** What a ring is besides its memory. */
export interface RingOptions {
  /** How many descriptors: a power of two, at most 32768. */
  readonly size: number;
  /** Where to go on in the available ring, counted modulo 65536. */
  readonly base: number;
  /** Both sides say how far the other may go without waking them (VIRTIO_F_EVENT_IDX). */
  readonly usesEventIndex: boolean;
}

/** Lengths of the parts of a ring with `size` descriptors, in bytes. */
export function ringLengths(size: number): { readonly [part in keyof RingParts]: number } {
  return { descriptors: 16 * size, available: 6 + 2 * size, used: 6 + 8 * size };
}

interface RingViews {
  readonly descriptors: Uint32Array;
  readonly available: Uint16Array;
  readonly used16: Uint16Array;
  /** The pairs of the used ring, behind its flags and index. */
  readonly used32: Uint32Array;
}

/** A ring of requests. Nothing here looks at what the descriptors say. */
export class SplitRing {
  readonly size: number;
  readonly #usesEventIndex: boolean;
  #memory: RingViews;
  #next: number;
  #usedIndex: number;
  #taken = 0;
  /** The used index that the guest was last asked about. */
  #told: number;
  #hasTold = false;

  /** @param parts - of exactly the lengths of {@link ringLengths}, aligned to 16, 2 and 4 bytes */
  constructor(parts: RingParts, options: RingOptions) {
    this.size = options.size;
    this.#usesEventIndex = options.usesEventIndex;
    this.#memory = viewParts(parts, options.size);
    this.#next = options.base;
    this.#usedIndex = Atomics.load(this.#memory.used16, INDEX);
    this.#told = this.#usedIndex;
  }

  /** Four words for each descriptor. The guest may change them at any time. */
  get descriptors(): Uint32Array {
    return this.#memory.descriptors;
  }

  /** Goes on in the same ring, seen at another place of this process. */
  moveTo(parts: RingParts): void {
    this.#memory = viewParts(parts, this.size);
  }

  /** Where the next request will be taken from, counted modulo 65536. */
  get base(): number {
    return this.#next;
  }

  /**
   * The first descriptor of the next request.
   *
   * @returns `undefined` when there is none
   * @throws {@link VirtiofsError} when the guest claims more requests than there are descriptors, or names one that
   *   there is not
   */
  take(): number | undefined {
    const index = Atomics.load(this.#memory.available, INDEX);
    const waiting = (index - this.#next) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting + this.#taken > this.size) {
      throw new VirtiofsError(
        "ring",
        `Cannot read a ring of ${this.size} descriptors: ${waiting + this.#taken} requests at once`,
      );
    }
    const head = this.#memory.available[RING + (this.#next & (this.size - 1))] as number;
    if (head >= this.size) {
      throw new VirtiofsError("ring", `Cannot read a ring of ${this.size} descriptors: no ${head}`);
    }
    this.#next = (this.#next + 1) & 0xffff;
    this.#taken += 1;
    return head;
  }

  /**
   * Gives a request back.
   *
   * @param length - bytes that were written into its descriptors
   */
  give(head: number, length: number): void {
    const slot = 2 * (this.#usedIndex & (this.size - 1));
    this.#memory.used32[slot] = head;
    this.#memory.used32[slot + 1] = length;
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    this.#taken -= 1;
    Atomics.store(this.#memory.used16, INDEX, this.#usedIndex);
  }

  /** Whether the guest wants to be woken for what was given back since the last call. */
  mustNotify(): boolean {
    const told = this.#told;
    const isFirst = !this.#hasTold;
    if (told === this.#usedIndex) return false;
    this.#told = this.#usedIndex;
    this.#hasTold = true;
    // A full fence: the guest says what it wants after it has looked at the index, so it is asked after the index is out.
    Atomics.exchange(this.#memory.used16, INDEX, this.#usedIndex);
    if (!this.#usesEventIndex)
      return (Atomics.load(this.#memory.available, FLAGS) & NO_INTERRUPT) === 0;
    // What the guest wanted of whoever served the ring before is not known.
    if (isFirst) return true;
    const event = Atomics.load(this.#memory.available, RING + this.size);
    return ((this.#usedIndex - event - 1) & 0xffff) < ((this.#usedIndex - told) & 0xffff);
  }

  /**
   * Asks the guest to wake this side for the next request.
   *
   * @returns whether one has come meanwhile, for which nobody will be woken
   */
  awaitKick(): boolean {
    // A full fence in both cases: the guest looks at avail_event after it has moved its index.
    if (this.#usesEventIndex)
      Atomics.exchange(this.#memory.used16, RING + 4 * this.size, this.#next);
    else Atomics.exchange(this.#memory.used16, INDEX, this.#usedIndex);
    return Atomics.load(this.#memory.available, INDEX) !== this.#next;
  }
}

function viewParts({ descriptors, available, used }: RingParts, size: number): RingViews {
  return {
    descriptors: new Uint32Array(descriptors.buffer, descriptors.byteOffset, 4 * size),
    available: new Uint16Array(available.buffer, available.byteOffset, 3 + size),
    used16: new Uint16Array(used.buffer, used.byteOffset, 3 + 4 * size),
    used32: new Uint32Array(used.buffer, used.byteOffset + 4, 2 * size),
  };
}
