import { VirtiofsError } from "./virtiofs-error.js";

/**
 * Memory is seen through windows that begin this far apart, since a buffer of 4 GiB or more ends the process.
 * A multiple of a page, so that what is aligned in memory is aligned in its window.
 */
export const WINDOW_STEP: number = 2 ** 30;

/**
 * How far each window reaches into the next one. The longest part of a ring is shorter
 * (16 bytes for each of 32768 descriptors), so a ring always lies in one window.
 */
export const WINDOW_OVERLAP: number = 2 ** 20;

/** Addresses of regions are multiples of this: the smallest page of all platforms. */
export const PAGE_SIZE = 4096;

/** A piece of a guest's memory in this process. */
export interface GuestRegion {
  /** Where the guest sees it. */
  readonly guestAddress: number;
  /** In bytes. */
  readonly size: number;
  /** Where the front-end sees it. */
  readonly userAddress: bigint;
  /** Its bytes: window `i` begins at `i * windowStep`. */
  readonly windows: readonly Uint8Array[];
  /** Takes the memory away. No window is touched afterwards. */
  unmap(): void;
}

/**
 * A region in this process, counted by those that use it, since touching memory after it is taken away ends the process.
 * It is unmapped by the last `release`.
 */
export class SharedRegion {
  readonly region: GuestRegion;
  #users = 0;

  constructor(region: GuestRegion) {
    this.region = region;
  }

  /** One user more. */
  hold(): void {
    this.#users += 1;
  }

  /** One user less. */
  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.region.unmap();
  }
}

/**
 * The memory of a guest at one time: every address is looked up here, and what is not in it does not exist.
 *
 * It is used by whoever made it and by each request under way ({@link hold}); with the last
 * {@link release}, the regions lose a user.
 */
export class GuestMemory {
  readonly #shared: readonly SharedRegion[];
  readonly #regions: readonly GuestRegion[];
  readonly #windowStep: number;
  #users = 1;
  #recent: GuestRegion | undefined;

  /**
   * @param shared - regions that do not overlap
   * @throws {@link VirtiofsError} when they do, where the guest or where the front-end sees them
   */
  constructor(shared: readonly SharedRegion[], windowStep: number = WINDOW_STEP) {
    const regions = shared.map((item) => item.region);
    checkDisjoint(regions);
    for (const item of shared) item.hold();
    this.#shared = shared;
    this.#regions = regions;
    this.#windowStep = windowStep;
  }

  /** The regions, to make other memory of them. */
  get shared(): readonly SharedRegion[] {
    return this.#shared;
  }

  /** One user more. */
  hold(): void {
    this.#users += 1;
  }

  /** One user less. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    for (const item of this.#shared) item.release();
  }

  /**
   * Adds the bytes at an address of the guest to `slices`, in as few slices as there are.
   *
   * @throws {@link VirtiofsError} when one of them is not memory of the guest
   */
  addSlices(slices: Uint8Array[], address: number, length: number): void {
    let from = address;
    let left = length;
    while (left > 0) {
      const slice = this.#sliceAt(from, left);
      slices.push(slice);
      from += slice.length;
      left -= slice.length;
    }
  }

  /**
   * The bytes at an address as the front-end sees it, in one piece.
   *
   * @throws {@link VirtiofsError} when they do not lie in one region
   */
  ringPart(userAddress: bigint, length: number): Uint8Array {
    for (const region of this.#regions) {
      const offset = userAddress - region.userAddress;
      if (offset < 0n || offset + BigInt(length) > BigInt(region.size)) continue;
      const slice = windowSlice(region, Number(offset), length, this.#windowStep);
      if (slice.length === length) return slice;
    }
    throw new VirtiofsError(
      "memory",
      `Cannot reach ${length} bytes of a ring at 0x${userAddress.toString(16)}: they are in no region`,
    );
  }

  #sliceAt(address: number, length: number): Uint8Array {
    const region = this.#regionAt(address);
    if (region === undefined) {
      throw new VirtiofsError(
        "memory",
        `Cannot reach ${length} bytes at 0x${address.toString(16)} of the guest: they are in no region`,
      );
    }
    return windowSlice(region, address - region.guestAddress, length, this.#windowStep);
  }

  #regionAt(address: number): GuestRegion | undefined {
    if (this.#recent !== undefined && contains(this.#recent, address)) return this.#recent;
    this.#recent = this.#regions.find((region) => contains(region, address));
    return this.#recent;
  }
}

function contains(region: GuestRegion, address: number): boolean {
  return address >= region.guestAddress && address < region.guestAddress + region.size;
}

/** At least one byte, at most `length`. */
function windowSlice(
  region: GuestRegion,
  offset: number,
  length: number,
  windowStep: number,
): Uint8Array {
  const index = Math.floor(offset / windowStep);
  const start = offset - index * windowStep;
  const window = region.windows[index];
  if (window === undefined || start >= window.length) {
    throw new VirtiofsError("memory", `Cannot reach byte ${offset} of a region: it is not mapped`);
  }
  return window.subarray(start, Math.min(start + length, window.length));
}

function checkDisjoint(regions: readonly GuestRegion[]): void {
  for (const [i, a] of regions.entries()) {
    for (const b of regions.slice(i + 1)) {
      const inGuest =
        a.guestAddress < b.guestAddress + b.size && b.guestAddress < a.guestAddress + a.size;
      const inUser =
        a.userAddress < b.userAddress + BigInt(b.size) &&
        b.userAddress < a.userAddress + BigInt(a.size);
      if (!inGuest && !inUser) continue;
      throw new VirtiofsError(
        "memory",
        `Cannot use the memory of the guest: regions at 0x${a.guestAddress.toString(16)} and 0x${b.guestAddress.toString(16)} overlap`,
      );
    }
  }
}
