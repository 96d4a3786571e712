/**
 * Values by key, those that were used last: as many as their weights allow together. The one that was added last is
 * kept also where it is heavier than all may be; who does not want that does not add it.
 */
export class LastUsed<K, V extends NonNullable<unknown>> {
  readonly #maxWeight: number;
  readonly #weightOf: (value: V) => number;
  readonly #onDrop: (value: V) => void;
  /** The one that was used last is at the end. */
  readonly #values = new Map<K, V>();
  #weight = 0;

  /**
   * @param maxWeight - of all values together
   * @param weightOf - the weight of a value, always the same for the same value
   * @param onDrop - called with a value that there is no room for any more
   */
  constructor(
    maxWeight: number,
    weightOf: (value: V) => number,
    onDrop: (value: V) => void = () => {},
  ) {
    this.#maxWeight = maxWeight;
    this.#weightOf = weightOf;
    this.#onDrop = onDrop;
  }

  /** Weight of all values together. */
  get weight(): number {
    return this.#weight;
  }

  /** Whether there is a value, without using it. */
  has(key: K): boolean {
    return this.#values.has(key);
  }

  /** All of them, without using them; the one that was used last comes last. */
  entries(): IterableIterator<[K, V]> {
    return this.#values.entries();
  }

  /** The value, which is used thereby. */
  get(key: K): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  /** Adds a value, in place of the one that the key had, and drops those that there is no room for any more. */
  add(key: K, value: V): void {
    this.delete(key);
    this.#values.set(key, value);
    this.#weight += this.#weightOf(value);
    for (const [oldKey, old] of this.#values) {
      if (this.#weight <= this.#maxWeight || oldKey === key) return;
      this.delete(oldKey);
      this.#onDrop(old);
    }
  }

  delete(key: K): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#weight -= this.#weightOf(value);
  }

  clear(): void {
    this.#values.clear();
    this.#weight = 0;
  }
}
