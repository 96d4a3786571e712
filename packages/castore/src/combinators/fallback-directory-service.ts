import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { digestDirectory } from "../wire/directory-digest.js";
import { firstAnswer } from "./ask-stores.js";
import { firstStream } from "./ask-streams.js";
import { GuardedStore, type GuardOptions, type StoreMember } from "./guarded-store.js";
import { writableMember } from "./writable-member.js";

/**
 * Directories of several stores, asked in their order: the next one when those before do not have it, fail, or take too
 * long. A store that fails again and again is left alone for a while. Writes go to the first store alone.
 */
export class FallbackDirectoryService implements DirectoryService {
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
    return this.#writable.put(directory, options);
  }

  putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    return this.#writable.putMultiple(directories, options);
  }
}

/** For messages. */
export function readAction(digest: B3Digest): string {
  return `Cannot read directory ${digest}`;
}

/** What a Directory weighs. */
export function encodedLength(directory: Directory): number {
  return digestDirectory(directory).encoded.byteLength;
}
