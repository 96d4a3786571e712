import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { digestDirectory } from "../wire/directory-digest.js";
import type { GuardedStore } from "./guarded-store.js";

/** For messages. */
export function readAction(digest: B3Digest): string {
  return `Cannot read directory ${digest}`;
}

/** What a Directory weighs. */
export function encodedLength(directory: Directory): number {
  return digestDirectory(directory).encoded.byteLength;
}

/** Directories of a store that is given up when it takes too long, and left alone when it fails again and again. */
export class GuardedDirectories implements DirectoryService {
  readonly #store: GuardedStore<DirectoryService>;

  constructor(store: GuardedStore<DirectoryService>) {
    this.#store = store;
  }

  get(digest: B3Digest, options?: CallOptions): Promise<Directory | undefined> {
    return this.#store.run((service, call) => service.get(digest, call), options);
  }

  getRecursive(
    digest: B3Digest,
    options?: CallOptions,
  ): AsyncGenerator<Directory, void, undefined> {
    return this.#store.stream((service, call) => service.getRecursive(digest, call), {
      ...options,
      bytesOf: encodedLength,
    });
  }

  put(directory: Directory, options?: CallOptions): Promise<B3Digest> {
    return this.#store.run((service, call) => service.put(directory, call), options);
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const source = abortable(directories, options.signal);
    try {
      return await this.#store.feed(
        source,
        (service, given, call) => service.putMultiple(given, call),
        options,
      );
    } finally {
      await source.return();
    }
  }
}
