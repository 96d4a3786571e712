import type { BlobService, CallOptions, PutManyOptions } from "../blobservice/blob-service.js";
import { readSource } from "../blobservice/read-source.js";
import type { B3Digest } from "../digest.js";
import { firstAnswer } from "./ask-stores.js";
import { closeSource } from "./close-source.js";
import type { BlobStores } from "./guarded-blobs.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";

/**
 * Stores a blob in the first store that takes it. A source can be read once: as soon as a store has asked for
 * any of it, the failure of that store is final.
 */
export async function putInFirst(
  stores: BlobStores,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: CallOptions = {},
): Promise<B3Digest> {
  let isOpen = false;
  async function* opened(): AsyncGenerator<Uint8Array, void, undefined> {
    isOpen = true;
    yield* pieces;
  }
  const pieces = readSource(source, options.signal);
  const failures: StoreFailure[] = [];
  try {
    for (const store of stores) {
      try {
        const put = (service: BlobService, given: AsyncIterable<Uint8Array>, call: CallOptions) =>
          service.put(given, call);
        return await store.feed(opened(), put, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (isOpen) throw error;
        failures.push({ store: store.name, error });
      }
    }
    throw failureOfStores("Cannot store a blob", failures);
  } finally {
    if (isOpen) await pieces.return();
    else await closeSource(source);
  }
}

/** Stores blobs in the first store that takes all of them. */
export async function putManyInFirst(
  stores: BlobStores,
  blobs: readonly Uint8Array[],
  options: PutManyOptions = {},
): Promise<B3Digest[]> {
  const put = (service: BlobService, call: CallOptions) =>
    service.putMany(blobs, { ...options, ...call });
  const ask = { ...options, action: `Cannot store ${blobs.length} blobs` };
  return (await firstAnswer(stores, put, ask)) ?? [];
}
