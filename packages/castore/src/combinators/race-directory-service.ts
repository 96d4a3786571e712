import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { fastestAnswer } from "./ask-stores.js";
import { fastestStream } from "./ask-streams.js";
import { encodedLength, readAction } from "./fallback-directory-service.js";
import { GuardedStore, type GuardOptions, type StoreMember } from "./guarded-store.js";
import { writableMember } from "./writable-member.js";

/**
 * Directories of several stores that are all asked at once: the first that has it answers, and the calls of the others
 * are aborted. Writes go to the first store alone.
 */
export class RaceDirectoryService implements DirectoryService {
  readonly #stores: readonly GuardedStore<DirectoryService>[];
  readonly #writable: DirectoryService;

  /** @throws RangeError when there are no stores */
  constructor(stores: readonly StoreMember<DirectoryService>[], options: GuardOptions = {}) {
    this.#writable = writableMember(stores);
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
    return this.#writable.put(directory, options);
  }

  putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    return this.#writable.putMultiple(directories, options);
  }
}
