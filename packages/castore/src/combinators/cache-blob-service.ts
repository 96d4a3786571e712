import type { TreeParents } from "../bao/outboard.js";
import type {
  BlobPlace,
  BlobReader,
  BlobService,
  CallOptions,
  ChunkMeta,
  ChunksOptions,
  FillManyOptions,
  OpenBlob,
  OpenManyOptions,
  OpenReadOptions,
  PutManyOptions,
} from "../blobservice/blob-service.js";
import { openBlobs } from "../blobservice/open-blobs.js";
import { readBlob } from "../blobservice/read-blob.js";
import { readSource } from "../blobservice/read-source.js";
import { copyBytes } from "../bytes.js";
import { type Clock, SYSTEM_CLOCK } from "../clock.js";
import type { B3Digest } from "../digest.js";
import { Semaphore } from "../semaphore.js";
import { copyInto } from "../shared-copy.js";
import { SingleFlight } from "../single-flight.js";
import { BackgroundFill } from "./background-fill.js";
import { type CacheNotes, NoteQueue } from "./cache-notes.js";
import { ChunkedCachedReader } from "./cached-reader.js";
import { EdgeReads } from "./edge-reads.js";
import { type FarBlob, FarBlobs } from "./far-blobs.js";
import { type FarOptions, guardFar } from "./far-store.js";
import { FarTrees } from "./far-trees.js";
import { assertContent, NearBlobs } from "./near-blobs.js";
import { NearReader } from "./near-reader.js";
import { Tee } from "./tee.js";
import { LongCachedReader, MAX_SHORT_BYTES, ShortCachedReader } from "./unchunked-reader.js";

export interface CacheBlobServiceOptions {
  /**
   * Where writes go: "near" (the default) is what tvix and snix do; "through" writes to both, and far has to
   * accept. Then `has()` answers for far alone, because who writes asks it what may be left out.
   */
  readonly writes?: "near" | "through";
  /** Where it is kept how blobs of far are cut, and what of that is proved; in memory by default. */
  readonly notes?: CacheNotes;
  /** How long it is remembered that far does not have a blob, in milliseconds; 60,000 by default. */
  readonly missesForMs?: number;
  /**
   * Longest blob, in bytes, of which the rest is fetched in the background once a part was read; 0, the default,
   * fetches nothing that nobody reads.
   */
  readonly maxFillBytes?: number;
  /** Bytes that have been asked of far and are not stored yet, at a time; 32 MiB by default. */
  readonly maxBytesInFlight?: number;
  /**
   * Whether chunk lists of far are believed. Then a chunk that near has from another blob is not fetched again when a
   * part of a blob is read, and `chunks()` tells them as proved. Only for stores of one's own; false by default.
   */
  readonly trustsChunkLists?: boolean;
  /** How patient far is waited for; what it is called in messages ("far"). */
  readonly far?: FarOptions;
  /** Is told why something that was read could not be kept: reads do not fail for that. */
  readonly onFillError?: (error: unknown) => void;
  readonly clock?: Clock;
}

const MISSES_FOR_MS = 60_000;
const MAX_BYTES_IN_FLIGHT = 32 * 1024 * 1024;

/** Longest blob that `fillMany()` takes from far, together with others. */
const MAX_FILLED_BYTES = 128 * 1024;

/** Blobs that are fetched one by one at a time, where far has no call for many. */
const FETCHES_AT_A_TIME = 16;

/**
 * A store that is near over one that is far. A read takes from far the chunks that it touches and near does not have,
 * once however many ask at a time, and near has them from then on, each as a blob of its own. When near has all chunks
 * of a blob, it gets the blob.
 *
 * What far sends is not believed. Chunks are read as ranges of the blob, so that a reader which can prove those against
 * the digest of the blob does, and are held against the chunk list too. A list alone proves nothing: a chunk that near
 * has is taken for a part of a blob only where it has been read in that place before (see `trustsChunkLists`). A
 * list that turns out wrong is forgotten, and the read fails with "CORRUPT". Near stores bytes under their own digest, and
 * a blob only when all of it has that digest.
 *
 * When far is gone, what is near can be read, and everything else fails with "UNAVAILABLE": at once, after the first
 * few calls that had to find that out.
 */
export class CacheBlobService implements BlobService, AsyncDisposable {
  readonly #near: BlobService;
  readonly #far: FarBlobs;
  readonly #filling: NearBlobs;
  readonly #rest: BackgroundFill;
  readonly #flights = new SingleFlight<void>();
  readonly #fetches = new Semaphore(FETCHES_AT_A_TIME);
  readonly #writesThrough: boolean;
  readonly #trustsChunkLists: boolean;
  readonly #maxFillBytes: number;
  readonly #onError: (error: unknown) => void;
  /** There where near has it. */
  readonly fillMany?: NonNullable<BlobService["fillMany"]>;
  /** There where far has it. */
  readonly tree?: NonNullable<BlobService["tree"]>;
  readonly #proofNotes: NoteQueue | undefined;
  readonly #edges: EdgeReads | undefined;
  /** Of near alone: nothing of far is there now. */
  readonly readNow?: NonNullable<BlobService["readNow"]>;

  constructor(near: BlobService, far: BlobService, options: CacheBlobServiceOptions = {}) {
    const { clock = SYSTEM_CLOCK, onFillError: onError = () => {}, notes } = options;
    const missesForMs = options.missesForMs ?? MISSES_FOR_MS;
    const maxBytesInFlight = options.maxBytesInFlight ?? MAX_BYTES_IN_FLIGHT;
    this.#near = near;
    this.#far = new FarBlobs(guardFar(far, options.far, clock), {
      ...{ notes, missesForMs, clock, onError },
    });
    this.#filling = new NearBlobs(near, this.#far, { maxBytesInFlight, onError });
    this.#rest = new BackgroundFill(near, this.#filling);
    this.#writesThrough = options.writes === "through";
    this.#trustsChunkLists = options.trustsChunkLists ?? false;
    this.#maxFillBytes = options.maxFillBytes ?? 0;
    this.#onError = onError;
    this.#proofNotes = far.tree && notes && new NoteQueue(notes, onError);
    if (far.tree !== undefined) {
      const trees = new FarTrees(this.#far.store, this.#proofNotes, onError);
      this.#edges = new EdgeReads(this.#far, this.#proofNotes, onError);
      this.tree = (digest, call) => this.#treeOf(trees, digest, call);
    }
    if (near.readNow !== undefined) this.readNow = near.readNow.bind(near);
    if (near.fillMany !== undefined) {
      const fillNear = near.fillMany.bind(near);
      this.fillMany = (places, memory, call) => this.#fill(fillNear, places, memory, call);
    }
  }

  async has(digest: B3Digest, options: CallOptions = {}): Promise<boolean> {
    const [has] = await this.hasMany([digest], options);
    return has === true;
  }

  async hasMany(digests: readonly B3Digest[], options: CallOptions = {}): Promise<boolean[]> {
    options.signal?.throwIfAborted();
    const present = this.#writesThrough
      ? digests.map(() => false)
      : [...(await this.#near.hasMany(digests, options))];
    const { absent, store } = this.#far;
    const asked = [...digests.entries()].filter(
      ([i, digest]) => present[i] !== true && !absent.has(digest.key),
    );
    if (asked.length === 0) return present;
    const questions = asked.map(([, digest]) => digest);
    const answers = await store.run((service, call) => service.hasMany(questions, call), options);
    for (const [at, [i, digest]] of asked.entries()) {
      present[i] = answers[at] === true;
      if (answers[at] === false) absent.add(digest.key);
    }
    return present;
  }

  async openRead(digest: B3Digest, options: OpenReadOptions = {}): Promise<BlobReader | undefined> {
    options.signal?.throwIfAborted();
    let failure: { readonly error: unknown } | undefined;
    try {
      const reader = await this.#near.openRead(digest, options);
      if (reader !== undefined)
        return new NearReader(reader, (call) => this.#openFar(digest, call));
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#onError(error);
      failure = { error };
    }
    const reader = await this.#openFar(digest, options);
    // Near may have what far does not.
    if (reader === undefined && failure !== undefined) throw failure.error;
    return reader;
  }

  async openMany(
    digests: readonly B3Digest[],
    options: OpenManyOptions,
  ): Promise<(OpenBlob | undefined)[]> {
    const opened = await openBlobs(this.#near, digests, options);
    const missing = [...opened.keys()].filter((i) => opened[i] === undefined);
    const fetched = await this.#fetchTogether(
      missing.map((i) => digests[i] as B3Digest),
      options,
    );
    for (const [at, i] of missing.entries()) opened[i] = fetched[at];
    return opened;
  }

  async chunks(
    digest: B3Digest,
    options: ChunksOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    options.signal?.throwIfAborted();
    const near = await this.#near.chunks(digest, options);
    if (near !== undefined) return near;
    const blob = await this.#far.find(digest, options);
    if (blob === undefined) return undefined;
    const { layout } = blob;
    const isGood = options.proved !== true || this.#trustsChunkLists || layout?.isProved === true;
    return isGood ? (layout?.toChunks() ?? []) : [];
  }

  /** That of near where it has the blob, else of far, which is kept as far as it was read. */
  async #treeOf(
    trees: FarTrees,
    digest: B3Digest,
    options: CallOptions = {},
  ): Promise<TreeParents | undefined> {
    options.signal?.throwIfAborted();
    const near = await this.#near.tree?.(digest, options);
    if (near !== undefined || this.#far.absent.has(digest.key)) return near;
    return trees.of(digest, options);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const digest = await (this.#writesThrough
      ? this.#putThrough(source, options)
      : this.#near.put(source, options));
    this.#far.absent.delete(digest.key);
    return digest;
  }

  async putMany(blobs: readonly Uint8Array[], options: PutManyOptions = {}): Promise<B3Digest[]> {
    if (!this.#writesThrough) return await this.#near.putMany(blobs, options);
    const digests = await this.#far.store.run(
      (service, call) => service.putMany(blobs, { ...options, ...call }),
      options,
    );
    for (const { key } of digests) this.#far.absent.delete(key);
    try {
      await this.#near.putMany(blobs, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#onError(error);
    }
    return digests;
  }

  /** Fulfils when all that has come is stored, and nothing goes on in the background any more. */
  async settled(): Promise<void> {
    await this.#filling.settled();
    await this.#far.flush();
    await this.#proofNotes?.flush();
  }

  /** Gives up what is fetched in the background, and waits until what has come is stored. */
  async close(): Promise<void> {
    this.#rest.close();
    await this.settled();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Blobs of far, short ones as their bytes, in one call where far has one for that. */
  async #fetchTogether(
    digests: readonly B3Digest[],
    options: OpenManyOptions,
  ): Promise<(OpenBlob | undefined)[]> {
    const { absent } = this.#far;
    const asked = [...digests.keys()].filter((i) => !absent.has((digests[i] as B3Digest).key));
    if (asked.length === 0) return digests.map(() => undefined);
    const opened = await this.#far.openMany(
      asked.map((i) => digests[i] as B3Digest),
      options,
    );
    const blobs: (OpenBlob | undefined)[] = digests.map(() => undefined);
    const kept: Uint8Array[] = [];
    const fetches = asked.map(async (i, at) => {
      const digest = digests[i] as B3Digest;
      const blob = opened?.[at];
      if (blob instanceof Uint8Array) {
        assertContent(digest, blob);
        kept.push(copyBytes(blob));
        blobs[i] = blob;
      } else if (opened === undefined || blob !== undefined) {
        blobs[i] = await this.#fetches.run(() => this.#fetch(digest, options), options.signal);
      } else {
        absent.add(digest.key);
      }
    });
    await Promise.all(fetches);
    await this.#filling.keep(kept, options);
    return blobs;
  }

  async #fetch(
    digest: B3Digest,
    { signal, inlineBytes }: OpenManyOptions,
  ): Promise<OpenBlob | undefined> {
    const call = signal === undefined ? {} : { signal };
    const reader = await this.#openFar(digest, call);
    if (reader === undefined || reader.size > inlineBytes) return reader;
    return await readBlob({ openRead: async () => reader }, digest, {
      ...call,
      maxBytes: inlineBytes,
    });
  }

  /** What near has, and what of the others is short. What goes wrong with far is left out: who reads it alone is told. */
  async #fill(
    fillNear: NonNullable<BlobService["fillMany"]>,
    places: readonly BlobPlace[],
    memory: SharedArrayBuffer,
    options: FillManyOptions = {},
  ): Promise<readonly number[]> {
    const missed = await fillNear(places, memory, options);
    const short = missed.filter((i) => (places[i] as BlobPlace).length <= MAX_FILLED_BYTES);
    if (short.length === 0) return missed;
    const { signal } = options;
    let blobs: readonly (OpenBlob | undefined)[];
    try {
      const digests = short.map((i) => (places[i] as BlobPlace).digest);
      const call = { inlineBytes: MAX_FILLED_BYTES, ...(signal && { signal }) };
      blobs = await this.#fetchTogether(digests, call);
    } catch {
      signal?.throwIfAborted();
      return missed;
    }
    const filled = new Set<number>();
    for (const [at, i] of short.entries()) {
      const blob = blobs[at];
      const { offset, length } = places[i] as BlobPlace;
      if (!(blob instanceof Uint8Array) || blob.byteLength !== length) continue;
      copyInto(new Uint8Array(memory, offset, length), 0, blob);
      filled.add(i);
    }
    return missed.filter((i) => !filled.has(i));
  }

  async #openFar(digest: B3Digest, options: OpenReadOptions): Promise<BlobReader | undefined> {
    const blob = await this.#far.find(digest, options);
    return blob && this.#readerOf(blob);
  }

  #readerOf(blob: FarBlob): BlobReader {
    const { layout, size } = blob;
    if (layout !== undefined) {
      if (size <= this.#maxFillBytes) this.#rest.add(blob, layout);
      const trustsChunkLists = this.#trustsChunkLists;
      const options = {
        ...{ near: this.#filling, far: this.#far, edges: this.#edges, trustsChunkLists },
      };
      return new ChunkedCachedReader(blob, layout, options);
    }
    if (size <= MAX_SHORT_BYTES) return new ShortCachedReader(blob, this.#filling);
    const long = { near: this.#near, filling: this.#filling, flights: this.#flights };
    return new LongCachedReader(blob, long);
  }

  /** Far has to take it; what near makes of it does not matter to the caller. */
  async #putThrough(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions,
  ): Promise<B3Digest> {
    const pieces = readSource(source, options.signal);
    const tee = new Tee(pieces);
    const [farBranch, nearBranch] = [tee.branch(), tee.branch()];
    const near = this.#near
      .put(nearBranch, options)
      .catch((error: unknown) => {
        if (options.signal?.aborted !== true) this.#onError(error);
      })
      .then(() => nearBranch.leave());
    try {
      const put = (service: BlobService, given: AsyncIterable<Uint8Array>, call: CallOptions) =>
        service.put(given, call);
      const digest = await this.#far.store.feed(farBranch, put, options);
      await near;
      return digest;
    } catch (error) {
      nearBranch.leave(error);
      throw error;
    } finally {
      farBranch.leave();
      await pieces.return();
    }
  }
}
