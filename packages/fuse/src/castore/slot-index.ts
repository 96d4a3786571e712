/** Smallest number of places; a power of two. */
const MIN_PLACES = 64;

/**
 * Finds slots by hash: open addressing with linear probing. Says where to look; whether a slot is the one that is
 * meant is known to the caller.
 */
export class SlotIndex {
  /** Slot numbers; 0 where there is none. */
  #places = new Uint32Array(MIN_PLACES);
  /** Hash of each slot, by its number. */
  #hashes = new Uint32Array(MIN_PLACES);
  #count = 0;

  /** The place where the search for `hash` begins. */
  start(hash: number): number {
    // The high bits: those of a product depend on all bits of its factors.
    return hash >>> (32 - this.#bits);
  }

  /** The slot at a place; 0 ends the search. */
  at(place: number): number {
    return this.#places[place] as number;
  }

  /** The place where the search goes on. */
  after(place: number): number {
    return (place + 1) & (this.#places.length - 1);
  }

  /** Whether the slot has that hash: quicker to say than whether it is the one. */
  hasHash(slot: number, hash: number): boolean {
    return this.#hashes[slot] === hash;
  }

  /** Adds a slot that is not there, whose number is at least 1. */
  add(slot: number, hash: number): void {
    if (slot >= this.#hashes.length) this.#hashes = widened(this.#hashes, slot);
    this.#hashes[slot] = hash;
    this.#count++;
    // Fuller than two thirds, searches get long.
    if (this.#count * 3 > this.#places.length * 2) this.#rebuild(this.#places.length * 2);
    this.#put(slot, hash);
  }

  /** Removes a slot that is there. */
  remove(slot: number): void {
    let hole = this.start(this.#hashes[slot] as number);
    while (this.#places[hole] !== slot) hole = this.after(hole);
    // What stands behind the hole and was pushed over it comes back, so that no search ends early.
    for (let place = this.after(hole); this.#places[place] !== 0; place = this.after(place)) {
      const other = this.#places[place] as number;
      const home = this.start(this.#hashes[other] as number);
      if (this.#distance(home, place) < this.#distance(hole, place)) continue;
      this.#places[hole] = other;
      hole = place;
    }
    this.#places[hole] = 0;
    this.#count--;
  }

  get #bits(): number {
    return 31 - Math.clz32(this.#places.length);
  }

  #distance(from: number, to: number): number {
    return (to - from) & (this.#places.length - 1);
  }

  #put(slot: number, hash: number): void {
    let place = this.start(hash);
    while (this.#places[place] !== 0) place = this.after(place);
    this.#places[place] = slot;
  }

  #rebuild(length: number): void {
    const old = this.#places;
    this.#places = new Uint32Array(length);
    for (const slot of old) if (slot !== 0) this.#put(slot, this.#hashes[slot] as number);
  }
}

function widened(hashes: Uint32Array, slot: number): Uint32Array<ArrayBuffer> {
  const wide = new Uint32Array(Math.max(2 * hashes.length, slot + 1));
  wide.set(hashes);
  return wide;
}
