import type { TreeParents } from "../bao/outboard.js";
import type { B3Digest } from "../digest.js";

/** Options of every call that may wait. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options of {@link BlobService.openRead}. */
export interface OpenReadOptions extends CallOptions {
  /**
   * How long the blob is, in bytes, as what names it says. Spares services that do not know the length reading
   * all of it for that: they believe it, and a stream of a blob that is longer or shorter ends with "CORRUPT".
   */
  readonly expectedSize?: number;
}

/** Options of {@link BlobService.chunks}. */
export interface ChunksOptions extends CallOptions {
  /**
   * Whether a list is left out that only somebody else says: a chunk of it is whatever it is, not surely that part of
   * the blob. False by default.
   */
  readonly proved?: boolean;
}

/** Options of {@link BlobService.putMany}. */
export interface PutManyOptions extends CallOptions {
  /**
   * Whether the caller has found the blobs missing a moment ago, so that to look for them first would be in
   * vain. What is stored all the same is still stored once.
   */
  readonly areMissing?: boolean;
}

/** A part of a blob, in bytes. */
export interface ByteRange {
  /** Where it starts; 0 by default. */
  readonly offset?: number;
  /** How long it is; up to the end of the blob by default, and cut off there. */
  readonly length?: number;
}

/** One piece of a blob: chunks in order make up the blob. Each can be read as a blob of its own. */
export interface ChunkMeta {
  readonly digest: B3Digest;
  /** Length in bytes. */
  readonly size: number;
}

/** An open blob. Calls are independent of each other: concurrent streams are allowed. */
export interface BlobReader {
  /** Length in bytes. */
  readonly size: number;
  /**
   * The bytes of `range`, one-shot. Bytes are checked before they are given out (chunk by chunk);
   * a stream over the whole blob also ends with an error if they do not make up the blob.
   *
   * @throws {@link CastoreError} "INVALID_ARGUMENT" when the range starts past the end, "CORRUPT"
   *   when stored bytes do not match their digest, "MISSING_REFERENCE" when a chunk is gone
   */
  stream(range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array>;
}

/**
 * A blob that was opened among many: its bytes, which belong to the caller, or a reader. The bytes of
 * several may lie in one piece of memory, and keep all of it.
 */
export type OpenBlob = Uint8Array | BlobReader;

/** Options of {@link BlobService.openMany}. */
export interface OpenManyOptions extends CallOptions {
  /** Longest blob that may come as its bytes; longer ones come as readers. */
  readonly inlineBytes: number;
}

/** A blob whose length is known, and where in some memory its content is wanted. */
export interface BlobPlace {
  readonly digest: B3Digest;
  /** Where its first byte goes. */
  readonly offset: number;
  /** How long it is. */
  readonly length: number;
}

/** Options of {@link BlobService.fillMany}. */
export interface FillManyOptions extends CallOptions {
  /** What this and later calls will ask for together, in bytes, about; nothing is known by default. */
  readonly expectedBytes?: number;
}

/** Stores immutable blobs under the BLAKE3 digest of their content. */
export interface BlobService {
  /** Whether the blob (or, where the implementation chunks, the chunk) is stored. */
  has(digest: B3Digest, options?: CallOptions): Promise<boolean>;

  /** {@link has} for many at once, in the order of `digests`. */
  hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]>;

  /** Opens a blob; `undefined` when it is not stored. Absence is not an error. */
  openRead(digest: B3Digest, options?: OpenReadOptions): Promise<BlobReader | undefined>;

  /**
   * {@link openRead} for many at once, in the order of `digests`. Short blobs may come as their bytes,
   * which are checked like those of a stream. Only there where it is cheaper than one call for each:
   * `openBlobs()` works with any service.
   */
  openMany?(
    digests: readonly B3Digest[],
    options: OpenManyOptions,
  ): Promise<(OpenBlob | undefined)[]>;

  /**
   * Writes the content of many blobs to where it is wanted in `memory`, each checked against its digest
   * there. The memory must be left alone until the promise settles, on failure for good.
   *
   * Only there where that is cheaper than one call for each.
   *
   * @returns the numbers of those whose content is not in its place, in any order: what is not stored,
   *   or has another length, or is damaged, or is better read alone. {@link openRead} tells which.
   */
  fillMany?(
    places: readonly BlobPlace[],
    memory: SharedArrayBuffer,
    options?: FillManyOptions,
  ): Promise<readonly number[]>;

  /**
   * The content of one short blob, checked, without a promise: waiting for one takes longer than to read it. It
   * belongs to the caller.
   *
   * Only there where that is cheaper than the other calls.
   *
   * @returns `undefined` for what {@link fillMany} would leave out
   */
  readNow?(digest: B3Digest, length: number): Uint8Array | undefined;

  /**
   * Stores all that `source` yields and returns its digest. Consumes `source` once and closes it on
   * every path; each array is used up before the next is asked for, its memory may be reused then.
   * When the promise fulfils, the blob is as durable as the implementation makes it; when it rejects, nothing became visible as a blob. Storing what is there already is a no-op.
   */
  put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<B3Digest>;

  /**
   * Stores each of `blobs` and returns their digests in the same order: the form for many small
   * blobs, one round trip and one commit. The arrays must stay as they are until the promise settles.
   */
  putMany(blobs: readonly Uint8Array[], options?: PutManyOptions): Promise<B3Digest[]>;

  /**
   * How the blob is cut: `undefined` when it is not stored, an empty list when no finer pieces than
   * the blob itself are known. A service that reads from others may only know what they say.
   */
  chunks(digest: B3Digest, options?: ChunksOptions): Promise<readonly ChunkMeta[] | undefined>;

  /**
   * The inner nodes of the BLAKE3 tree over a blob, over groups of 16 KiB, with which parts of it can be proved
   * (docs/formats/outboard.md): `sliceOf()` does that. `undefined` when the blob is not stored. The nodes have been
   * compared with the digest; the length follows from them and from the last group only.
   *
   * Only there where that takes less than reading all of the blob each time.
   *
   * @throws {@link CastoreError} "UNSUPPORTED" when a service behind this one has no trees
   */
  tree?(digest: B3Digest, options?: CallOptions): Promise<TreeParents | undefined>;
}
