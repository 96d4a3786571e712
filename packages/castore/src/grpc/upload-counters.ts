/** A number of objects and their bytes. */
interface ObjectCount {
  objects: number;
  bytes: number;
}

/** What was sent to a server, and what it had already; of blobs in pieces, each piece counts. */
export interface UploadCounters {
  readonly added: Readonly<ObjectCount>;
  readonly known: Readonly<ObjectCount>;
}

/** Counts uploads. An object that is on its way twice at the same time is new once. */
export class UploadCounter implements UploadCounters {
  readonly added: ObjectCount = { objects: 0, bytes: 0 };
  readonly known: ObjectCount = { objects: 0, bytes: 0 };
  readonly #onTheWay = new Map<string, number>();

  /**
   * Counts one object.
   *
   * @param key - of its digest
   * @param isMissing - whether it is sent; {@link arrived} has to follow then
   */
  count(key: string, bytes: number, isMissing: boolean): void {
    const others = this.#onTheWay.get(key) ?? 0;
    if (isMissing) this.#onTheWay.set(key, others + 1);
    const which = isMissing && others === 0 ? this.added : this.known;
    which.objects += 1;
    which.bytes += bytes;
  }

  /** An object that was missing has been stored, or not. */
  arrived(key: string): void {
    const others = (this.#onTheWay.get(key) ?? 1) - 1;
    if (others === 0) this.#onTheWay.delete(key);
    else this.#onTheWay.set(key, others);
  }
}
