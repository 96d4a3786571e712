import {
  type B3Digest,
  CastoreError,
  type Directory,
  type DirectoryService,
  SingleFlight,
} from "@tvix/castore";

/** Decoded Directories, as many as fit: those that were used last. */
export class DirectoryCache {
  readonly #service: Pick<DirectoryService, "get">;
  readonly #maxEntries: number;
  readonly #flights = new SingleFlight<Directory>();
  /** By digest; the one that was used last is at the end. */
  readonly #cached = new Map<string, Directory>();
  /** Of all that are cached; each counts for one more, as it takes memory even when it is empty. */
  #weight = 0;

  /** @param maxEntries - most entries of all of them together; the one that was used last may have more */
  constructor(service: Pick<DirectoryService, "get">, maxEntries: number) {
    this.#service = service;
    this.#maxEntries = maxEntries;
  }

  /** The Directory, if it is at hand. */
  peek(digest: B3Digest): Directory | undefined {
    const { key } = digest;
    const directory = this.#cached.get(key);
    if (directory === undefined) return undefined;
    this.#cached.delete(key);
    this.#cached.set(key, directory);
    return directory;
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
      this.#add(digest.key, directory);
      return directory;
    };
    return this.#flights.run(digest.key, work, signal);
  }

  clear(): void {
    this.#cached.clear();
    this.#weight = 0;
  }

  #add(key: string, directory: Directory): void {
    if (this.#cached.has(key)) return;
    this.#cached.set(key, directory);
    this.#weight += weightOf(directory);
    for (const [oldKey, old] of this.#cached) {
      if (this.#weight <= this.#maxEntries || oldKey === key) break;
      this.#cached.delete(oldKey);
      this.#weight -= weightOf(old);
    }
  }
}

function weightOf(directory: Directory): number {
  return directory.entries.length + 1;
}
