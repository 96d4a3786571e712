import { abortable } from "../blobservice/abortable.js";
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
import { CastoreError } from "../errors.js";
import { type AskStore, firstAnswer } from "./ask-stores.js";
import { type BlobStores, canProve, openInStores, treeInStores } from "./guarded-blobs.js";
import { FailoverReader, type GuardedBlob, openGuarded } from "./guarded-reader.js";
import { GuardedStore, type GuardOptions, type StoreMember } from "./guarded-store.js";
import { Healing } from "./healing.js";
import { type MirrorOptions, quorumOf } from "./mirror-writes.js";
import { putInAll, putManyInAll } from "./put-in-all.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";

/**
 * Several stores that are to have the same. What is written goes to all of them, and is stored when a quorum has it.
 * What is read comes from the first that has it, and a failure counts only where none has it.
 *
 * Whoever turns out to lack a blob that another has (when it is read, looked for or was not taken) is given it in the
 * background, a few at a time; what is left is found missing again later. {@link settled} waits for that.
 */
export class MirrorBlobService implements BlobService, AsyncDisposable {
  readonly #stores: BlobStores;
  /** There where one of the stores has it. */
  readonly tree?: NonNullable<BlobService["tree"]>;
  readonly #quorum: number;
  readonly #healing: Healing | undefined;

  /** @throws RangeError for a quorum that cannot be reached, or no stores */
  constructor(
    stores: readonly StoreMember<BlobService>[],
    options: MirrorOptions & GuardOptions = {},
  ) {
    this.#quorum = quorumOf(stores.length, options);
    this.#stores = stores.map((member) => new GuardedStore(member, options));
    if (canProve(stores)) {
      this.tree = (digest, call) => treeInStores(this.#stores, digest, firstAnswer, call);
    }
    this.#healing = options.heal === false ? undefined : new Healing(options.onHealError);
  }

  async has(digest: B3Digest, options: CallOptions = {}): Promise<boolean> {
    const [has] = await this.hasMany([digest], options);
    return has === true;
  }

  /** Asks all stores: who asks what may be left out is what finds out that one lacks something. */
  async hasMany(digests: readonly B3Digest[], options: CallOptions = {}): Promise<boolean[]> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (digests.length === 0) return [];
    const failures: StoreFailure[] = [];
    const ask = async (store: GuardedStore<BlobService>): Promise<readonly boolean[]> => {
      try {
        return await store.run((service, call) => service.hasMany(digests, call), options);
      } catch (error) {
        failures.push({ store: store.name, error });
        return [];
      }
    };
    const answers = await Promise.all(this.#stores.map(ask));
    signal?.throwIfAborted();
    const present = digests.map((_, i) => answers.some((of) => of[i] === true));
    if (failures.length > 0 && present.includes(false)) {
      throw failureOfStores(`Cannot find ${digests.length} blobs`, failures);
    }
    for (const [i, digest] of digests.entries()) {
      if (present[i] !== true) continue;
      this.#heal(
        digest,
        this.#stores.filter((_, at) => answers[at]?.[i] === false),
      );
    }
    return present;
  }

  async openRead(
    digest: B3Digest,
    { expectedSize, ...options }: OpenReadOptions = {},
  ): Promise<BlobReader | undefined> {
    const lacking: GuardedStore<BlobService>[] = [];
    const openOne = openGuarded(digest, expectedSize);
    const open: AskStore<BlobService, GuardedBlob> = async (service, call, store) => {
      const blob = await openOne(service, call, store);
      if (blob === undefined) lacking.push(store);
      return blob;
    };
    const ask = { ...options, action: `Cannot find blob ${digest}` };
    const blob = await firstAnswer(this.#stores, open, ask);
    if (blob === undefined) return undefined;
    this.#heal(digest, lacking);
    const others = this.#stores.filter((store) => store !== blob.store);
    return new FailoverReader(digest, blob, others);
  }

  chunks(digest: B3Digest, options?: ChunksOptions): Promise<readonly ChunkMeta[] | undefined> {
    const ask = { ...options, action: `Cannot find blob ${digest}` };
    return firstAnswer(
      this.#stores,
      (service, call) => service.chunks(digest, { ...options, ...call }),
      ask,
    );
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const call = { ...options, quorum: this.#quorum };
    const { stored, failed } = await putInAll(this.#stores, source, call);
    this.#heal(stored, failed);
    return stored;
  }

  async putMany(blobs: readonly Uint8Array[], options: PutManyOptions = {}): Promise<B3Digest[]> {
    const call = { ...options, quorum: this.#quorum };
    const { stored, failed } = await putManyInAll(this.#stores, blobs, call);
    for (const digest of stored) this.#heal(digest, failed);
    return [...stored];
  }

  /** Fulfils when no store is being given anything any more. */
  async settled(): Promise<void> {
    await this.#healing?.idle();
  }

  /** Gives up what is being copied. */
  async close(): Promise<void> {
    await this.#healing?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #heal(digest: B3Digest, lacking: BlobStores): void {
    for (const store of lacking) {
      this.#healing?.start(`${store.name}:${digest.key}`, (signal) =>
        this.#copy(digest, store, signal),
      );
    }
  }

  async #copy(digest: B3Digest, to: GuardedStore<BlobService>, signal: AbortSignal): Promise<void> {
    const others = this.#stores.filter((store) => store !== to);
    const reader = await openInStores(others, digest, firstAnswer, { signal });
    // It was deleted everywhere meanwhile.
    if (reader === undefined) return;
    const pieces = abortable(reader.stream({}, { signal }), signal);
    const put = (service: BlobService, given: AsyncIterable<Uint8Array>, call: CallOptions) =>
      service.put(given, call);
    const stored = await to.feed(pieces, put, { signal }).finally(() => pieces.return());
    if (stored.equals(digest)) return;
    throw new CastoreError("CORRUPT", `Cannot copy blob ${digest} to ${to.name}: it has ${stored}`);
  }
}
