import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { firstAnswer } from "./ask-stores.js";
import { firstStream } from "./ask-streams.js";
import { encodedLength, readAction } from "./guarded-directories.js";
import { GuardedStore, type GuardOptions, type StoreMember } from "./guarded-store.js";
import { putDirectoriesInFirst, putDirectoryInFirst } from "./put-directories-in-first.js";

/**
 * Directories of several stores, asked in their order: the next one when those before do not have it, fail, or take too
 * long. A store that fails again and again is left alone for a while. Directories are put into the first store that takes them.
 */
export class FallbackDirectoryService implements DirectoryService {
  readonly #stores: readonly GuardedStore<DirectoryService>[];

  /** @param stores - at least one */
  constructor(stores: readonly StoreMember<DirectoryService>[], options: GuardOptions = {}) {
    this.#stores = stores.map((member) => new GuardedStore(member, options));
  }

  /** @throws {@link CastoreError} when none has it and some did not answer */
  get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    const action = readAction(digest);
    return firstAnswer(this.#stores, (store, call) => store.get(digest, call), {
      ...options,
      action,
    });
  }

  /** As the contract says. Once the root was given out, all comes from the store that has given it. */
  getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    const action = readAction(digest);
    return firstStream(this.#stores, (store, call) => store.getRecursive(digest, call), {
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
