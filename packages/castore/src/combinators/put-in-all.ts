import type { BlobService, CallOptions, PutManyOptions } from "../blobservice/blob-service.js";
import { readSource } from "../blobservice/read-source.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { LinkedAbort } from "../linked-abort.js";
import { closeSource } from "./close-source.js";
import type { BlobStores } from "./guarded-blobs.js";
import type { GuardedStore } from "./guarded-store.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";
import { Tee } from "./tee.js";

export interface QuorumOptions extends PutManyOptions {
  /** How many stores have to take it. */
  readonly quorum: number;
}

/** What became of something that was given to all stores. */
export interface PutOutcome<T> {
  readonly stored: T;
  /** Those that did not take it. */
  readonly failed: BlobStores;
}

/**
 * Gives a blob to all stores in step: the slowest sets the pace, until it takes too long over a piece. A store that
 * fails is given no more. When too few are left all are told to stop.
 *
 * @throws {@link CastoreError} when fewer than `quorum` stores take it, which says what became of the others
 */
export async function putInAll(
  stores: BlobStores,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { quorum, signal }: QuorumOptions,
): Promise<PutOutcome<B3Digest>> {
  let isOpen = false;
  let failure: { readonly error: unknown } | undefined;
  const pieces = readSource(source, signal);
  async function* watched(): AsyncGenerator<Uint8Array, void, undefined> {
    isOpen = true;
    try {
      yield* pieces;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  const tee = new Tee(watched());
  const branches = new Map(stores.map((store) => [store, tee.branch()]));
  const put = async (store: GuardedStore<BlobService>, call: CallOptions): Promise<B3Digest> => {
    const branch = branches.get(store) ?? tee.branch();
    try {
      return await store.feed(branch, (service, given, linked) => service.put(given, linked), call);
    } finally {
      branch.leave();
    }
  };
  try {
    return await putWith(stores, put, { quorum, ...(signal && { signal }) });
  } catch (error) {
    throw failure === undefined ? error : failure.error;
  } finally {
    if (isOpen) await pieces.return();
    else await closeSource(source);
  }
}

/** {@link putInAll} for many blobs that are there as bytes. */
export async function putManyInAll(
  stores: BlobStores,
  blobs: readonly Uint8Array[],
  options: QuorumOptions,
): Promise<PutOutcome<readonly B3Digest[]>> {
  const put = (store: GuardedStore<BlobService>, call: CallOptions) =>
    store.run((service, linked) => service.putMany(blobs, { ...options, ...linked }), call);
  return await putWith(stores, put, options);
}

type Stored = B3Digest | readonly B3Digest[];

async function putWith<T extends Stored>(
  stores: BlobStores,
  put: (store: GuardedStore<BlobService>, call: CallOptions) => Promise<T>,
  { quorum, signal }: QuorumOptions,
): Promise<PutOutcome<T>> {
  signal?.throwIfAborted();
  const call = new LinkedAbort(signal);
  const stored: T[] = [];
  const failed: GuardedStore<BlobService>[] = [];
  const failures: StoreFailure[] = [];
  const putOne = async (store: GuardedStore<BlobService>): Promise<void> => {
    try {
      stored.push(await put(store, { signal: call.signal }));
    } catch (error) {
      failed.push(store);
      failures.push({ store: store.name, error });
      if (failed.length > stores.length - quorum) call.end(error);
    }
  };
  await Promise.all(stores.map(putOne));
  call.detach();
  signal?.throwIfAborted();
  const [first] = stored;
  if (first === undefined || stored.length < quorum) {
    const count = `${stored.length} of the ${quorum} stores that have to`;
    throw failureOfStores(`Cannot store: ${count} took it`, failures);
  }
  if (stored.some((other) => String(other) !== String(first))) {
    throw new CastoreError(
      "CORRUPT",
      `Cannot store: the stores have stored ${stored.join(" and ")}`,
    );
  }
  return { stored: first, failed };
}
