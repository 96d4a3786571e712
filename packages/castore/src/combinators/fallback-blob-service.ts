import type {
  BlobReader,
  BlobService,
  CallOptions,
  ChunkMeta,
  ChunksOptions,
  OpenReadOptions,
  PutManyOptions,
} from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { firstAnswer } from "./ask-stores.js";
import {
  areInStores,
  type BlobStores,
  canProve,
  isInStores,
  openInStores,
  treeInStores,
} from "./guarded-blobs.js";
import { GuardedStore, type GuardOptions, type StoreMember } from "./guarded-store.js";
import { putInFirst, putManyInFirst } from "./put-in-first.js";

/**
 * Several stores, the best first: the others are asked for what those before them do not have, or when they
 * fail, take too long, or are left alone for a while after failures in a row.
 *
 * That a blob is nowhere is said only when all stores have said so. A blob is read from the store that opened
 * it, and from another one only as long as that has given out nothing. Blobs are put into the first store that takes
 * them.
 */
export class FallbackBlobService implements BlobService {
  readonly #stores: BlobStores;
  /** There where one of the stores has it. */
  readonly tree?: NonNullable<BlobService["tree"]>;

  /** @param stores - at least one */
  constructor(stores: readonly StoreMember<BlobService>[], options: GuardOptions = {}) {
    this.#stores = stores.map((member) => new GuardedStore(member, options));
    if (canProve(stores)) {
      this.tree = (digest, call) => treeInStores(this.#stores, digest, firstAnswer, call);
    }
  }

  has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return isInStores(this.#stores, digest, firstAnswer, options);
  }

  hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    return areInStores(this.#stores, digests, options);
  }

  openRead(digest: B3Digest, options?: OpenReadOptions): Promise<BlobReader | undefined> {
    return openInStores(this.#stores, digest, firstAnswer, options);
  }

  chunks(digest: B3Digest, options?: ChunksOptions): Promise<readonly ChunkMeta[] | undefined> {
    const ask = { ...options, action: `Cannot find blob ${digest}` };
    return firstAnswer(
      this.#stores,
      (service, call) => service.chunks(digest, { ...options, ...call }),
      ask,
    );
  }

  put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<B3Digest> {
    return putInFirst(this.#stores, source, options);
  }

  putMany(blobs: readonly Uint8Array[], options?: PutManyOptions): Promise<B3Digest[]> {
    return putManyInFirst(this.#stores, blobs, options);
  }
}
