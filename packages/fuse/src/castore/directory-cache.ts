import {
  type B3Digest,
  CastoreError,
  type Directory,
  type DirectoryService,
  LastUsed,
  SingleFlight,
} from "@tvix/castore";

/**
 * Decoded Directories, as many as fit: those that were used last.
 *
 * Large ones are kept apart from the others, which would otherwise push one out while it is listed, and whoever lists it
 * would fetch it again for each part of the listing.
 */
export class DirectoryCache {
  readonly #service: Pick<DirectoryService, "get">;
  readonly #flights = new SingleFlight<Directory>();
  readonly #small: LastUsed<string, Directory>;
  readonly #large: LastUsed<string, Directory>;
  /** Fewer entries make a small Directory. */
  readonly #largeFrom: number;

  /** @param maxEntries - most entries of all small ones together; large ones may have twice as many */
  constructor(service: Pick<DirectoryService, "get">, maxEntries: number) {
    this.#service = service;
    this.#small = new LastUsed(maxEntries, weightOf);
    this.#large = new LastUsed(2 * maxEntries, weightOf);
    this.#largeFrom = maxEntries / 4;
  }

  /** The Directory, if it is at hand. */
  peek(digest: B3Digest): Directory | undefined {
    return this.#small.get(digest.key) ?? this.#large.get(digest.key);
  }

  /**
   * The Directory, fetched if it is not at hand; once for all who want it at the same time.
   *
   * @throws `CastoreError` "MISSING_REFERENCE" when it is not stored
   */
  fetch(digest: B3Digest, signal: AbortSignal): Promise<Directory> {
    const work = async (call: AbortSignal): Promise<Directory> => {
      const directory = await this.#service.get(digest, { signal: call });
      if (directory === undefined) {
        throw new CastoreError("MISSING_REFERENCE", `Cannot read directory ${digest}: not stored`);
      }
      const isLarge = directory.entries.length >= this.#largeFrom;
      (isLarge ? this.#large : this.#small).add(digest.key, directory);
      return directory;
    };
    return this.#flights.run(digest.key, work, signal);
  }

  clear(): void {
    this.#small.clear();
    this.#large.clear();
  }
}

/** Also an empty one takes memory. */
function weightOf(directory: Directory): number {
  return directory.entries.length + 1;
}
