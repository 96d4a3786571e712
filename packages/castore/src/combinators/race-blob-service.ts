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
import { fastestAnswer } from "./ask-stores.js";
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
 * Several stores that are asked at the same time: the first that has a blob gives it, and the calls of the others
 * are aborted. A store that does not have it does not win, and a failure counts only where none has it.
 *
 * A blob is read from the winner, and from another store only as long as that has given out nothing. Questions for many
 * blobs go to one store after the other, and blobs are put into the first store that takes them.
 */
export class RaceBlobService implements BlobService {
  readonly #stores: BlobStores;
  /** There where one of the stores has it. */
  readonly tree?: NonNullable<BlobService["tree"]>;

  /** @param stores - at least one */
  constructor(stores: readonly StoreMember<BlobService>[], options: GuardOptions = {}) {
    this.#stores = stores.map((member) => new GuardedStore(member, options));
    if (canProve(stores)) {
      this.tree = (digest, call) => treeInStores(this.#stores, digest, fastestAnswer, call);
    }
  }

  has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return isInStores(this.#stores, digest, fastestAnswer, options);
  }

  hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    return areInStores(this.#stores, digests, options);
  }

  openRead(digest: B3Digest, options?: OpenReadOptions): Promise<BlobReader | undefined> {
    return openInStores(this.#stores, digest, fastestAnswer, options);
  }

  chunks(digest: B3Digest, options?: ChunksOptions): Promise<readonly ChunkMeta[] | undefined> {
    const ask = { ...options, action: `Cannot find blob ${digest}` };
    return fastestAnswer(
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
