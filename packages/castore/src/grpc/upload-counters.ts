import type { B3Digest } from "../digest.js";

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

/**
 * Counts uploads. What several of them have at the same time, each finding it missing, is new once: so
 * each says what it has before it asks.
 */
export class UploadCounter implements UploadCounters {
  readonly added: ObjectCount = { objects: 0, bytes: 0 };
  readonly known: ObjectCount = { objects: 0, bytes: 0 };
  readonly #underWay = new Map<string, { holders: number; isCounted: boolean }>();

  /** An upload has these objects; {@link end} has to follow. */
  begin(digests: Iterable<B3Digest>): void {
    for (const { key } of digests) {
      const entry = this.#underWay.get(key);
      if (entry === undefined) this.#underWay.set(key, { holders: 1, isCounted: false });
      else entry.holders += 1;
    }
  }

  /** Counts one object of an upload that has begun. */
  count({ key }: B3Digest, bytes: number, isMissing: boolean): void {
    const entry = this.#underWay.get(key);
    const isNew = isMissing && entry?.isCounted !== true;
    if (isNew && entry !== undefined) entry.isCounted = true;
    const which = isNew ? this.added : this.known;
    which.objects += 1;
    which.bytes += bytes;
  }

  /** The upload is over, with success or without. */
  end(digests: Iterable<B3Digest>): void {
    for (const { key } of digests) {
      const entry = this.#underWay.get(key);
      if (entry === undefined) continue;
      entry.holders -= 1;
      if (entry.holders === 0) this.#underWay.delete(key);
    }
  }
}
