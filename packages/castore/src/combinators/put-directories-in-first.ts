import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { firstAnswer } from "./ask-stores.js";
import { closeSource } from "./close-source.js";
import type { GuardedStore } from "./guarded-store.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";

type DirectoryStores = readonly GuardedStore<DirectoryService>[];

/** Stores a Directory in the first store that takes it. */
export async function putDirectoryInFirst(
  stores: DirectoryStores,
  directory: Directory,
  options: CallOptions,
): Promise<B3Digest> {
  const action = `Cannot store directory ${directoryDigest(directory)}`;
  const put = (store: DirectoryService, call: CallOptions) => store.put(directory, call);
  const digest = await firstAnswer(stores, put, { ...options, action });
  if (digest === undefined) throw new RangeError(`${action}: there are no stores`);
  return digest;
}

/**
 * Stores a closure in the first store that takes it. A source can be read once: as soon as a store has asked for any of
 * it, the failure of that store is final.
 */
export async function putDirectoriesInFirst(
  stores: DirectoryStores,
  directories: AsyncIterable<Directory> | Iterable<Directory>,
  options: CallOptions,
): Promise<B3Digest> {
  const source = abortable(directories, options.signal);
  let isOpen = false;
  async function* opened(): AsyncGenerator<Directory, void, undefined> {
    isOpen = true;
    yield* source;
  }
  const failures: StoreFailure[] = [];
  try {
    for (const store of stores) {
      try {
        return await store.feed(
          opened(),
          (service, given, call) => service.putMultiple(given, call),
          options,
        );
      } catch (error) {
        options.signal?.throwIfAborted();
        if (isOpen) throw error;
        failures.push({ store: store.name, error });
      }
    }
    throw failureOfStores("Cannot store directories", failures);
  } finally {
    if (isOpen) await source.return();
    else await closeSource(directories);
  }
}
