import type { GuestRegion } from "../virtiofs/guest-memory.js";

/** Memory of a guest without a guest: an `ArrayBuffer`, with guards on both sides that show writes beyond it. */
export class PlainRegion implements GuestRegion {
  readonly guestAddress: number;
  readonly userAddress: bigint;
  readonly size: number;
  readonly windows: readonly Uint8Array[];
  /** All of it in one piece. */
  readonly bytes: Uint8Array;
  readonly #all: Uint8Array;
  #unmapped = 0;

  /** @param windowStep - as that of the memory it becomes part of; windows reach 64 bytes into the next one */
  constructor(guestAddress: number, size: number, windowStep: number = size) {
    this.guestAddress = guestAddress;
    this.userAddress = BigInt(guestAddress) + USER_OFFSET;
    this.size = size;
    this.#all = new Uint8Array(size + 2 * GUARD_LENGTH).fill(GUARD);
    this.bytes = this.#all.subarray(GUARD_LENGTH, GUARD_LENGTH + size);
    this.bytes.fill(0);
    const windows: Uint8Array[] = [];
    for (let at = 0; at < size; at += windowStep) {
      windows.push(this.bytes.subarray(at, Math.min(at + windowStep + 64, size)));
    }
    this.windows = windows;
  }

  /** How often it was taken away. */
  get unmapped(): number {
    return this.#unmapped;
  }

  /** Whether nobody wrote beside it. */
  get isGuardIntact(): boolean {
    const before = this.#all.subarray(0, GUARD_LENGTH);
    const after = this.#all.subarray(GUARD_LENGTH + this.size);
    return [...before, ...after].every((byte) => byte === GUARD);
  }

  unmap(): void {
    this.#unmapped += 1;
  }
}

/** User addresses lie this far above those of the guest. */
export const USER_OFFSET = 0x7f00_0000_0000n;

const GUARD = 0xa5;
const GUARD_LENGTH = 4096;
