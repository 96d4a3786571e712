import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { fastestAnswer } from "./ask-stores.js";
import { fastestStream } from "./ask-streams.js";
import { encodedLength, readAction } from "./guarded-directories.js";
import { GuardedStore, type GuardOptions, type StoreMember } from "./guarded-store.js";
import { putDirectoriesInFirst, putDirectoryInFirst } from "./put-directories-in-first.js";

/**
 * Directories of several stores that are all asked at once: the first that has it answers, and the calls of the others
 * are aborted. Directories are put into the first store that takes them.
 */
export class RaceDirectoryService implements DirectoryService {
  readonly #stores: readonly GuardedStore<DirectoryService>[];

  /** @param stores - at least one */
  constructor(stores: readonly StoreMember<DirectoryService>[], options: GuardOptions = {}) {
    this.#stores = stores.map((member) => new GuardedStore(member, options));
  }

  /** @throws {@link CastoreError} when none has it and some did not answer */
  get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    const action = readAction(digest);
    return fastestAnswer(this.#stores, (store, call) => store.get(digest, call), {
      ...options,
      action,
    });
  }

  /** As the contract says: from the store whose root comes first. */
  getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    const action = readAction(digest);
    return fastestStream(this.#stores, (store, call) => store.getRecursive(digest, call), {
      ...options,
      action,
      bytesOf: encodedLength,
    });
  }

  put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    return putDirectoryInFirst(this.#stores, directory, options);
  }

  putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    return putDirectoriesInFirst(this.#stores, directories, options);
  }
}
