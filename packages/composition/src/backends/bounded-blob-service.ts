import {
  type B3Digest,
  type BlobService,
  type CallOptions,
  type PutManyOptions,
  ReadOnlyBlobService,
} from "@tvix/castore";
import type { StoreBudget } from "./store-budget.js";

/** Blobs of a store that takes no more than it may: it can be read always. */
export class BoundedBlobService extends ReadOnlyBlobService {
  readonly #inner: BlobService;
  readonly #budget: StoreBudget;

  constructor(inner: BlobService, budget: StoreBudget) {
    super(inner);
    this.#inner = inner;
    this.#budget = budget;
  }

  /** @throws `CastoreError` with code "STORAGE" when there is no room */
  override async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    if (!(await this.#budget.hasRoom())) {
      // Closes the source, and refuses.
      await super.put(source, options).catch(() => {});
      await this.#budget.assertRoom();
    }
    return await this.#inner.put(source, options);
  }

  /** @throws `CastoreError` with code "STORAGE" when there is no room */
  override async putMany(
    blobs: readonly Uint8Array[],
    options: PutManyOptions = {},
  ): Promise<B3Digest[]> {
    await this.#budget.assertRoom();
    return await this.#inner.putMany(blobs, options);
  }
}
