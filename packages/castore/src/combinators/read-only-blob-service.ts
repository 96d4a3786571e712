import type {
  BlobReader,
  BlobService,
  CallOptions,
  ChunkMeta,
  ChunksOptions,
  OpenReadOptions,
} from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { closeSource } from "./close-source.js";

/** A service that can be read and not written: what would write is refused with "UNSUPPORTED". */
export class ReadOnlyBlobService implements BlobService {
  readonly #inner: BlobService;
  readonly openMany?: NonNullable<BlobService["openMany"]>;
  readonly fillMany?: NonNullable<BlobService["fillMany"]>;
  readonly tree?: NonNullable<BlobService["tree"]>;

  readonly readNow?: NonNullable<BlobService["readNow"]>;

  constructor(inner: BlobService) {
    this.#inner = inner;
    if (inner.openMany !== undefined) this.openMany = inner.openMany.bind(inner);
    if (inner.readNow !== undefined) this.readNow = inner.readNow.bind(inner);
    if (inner.fillMany !== undefined) this.fillMany = inner.fillMany.bind(inner);
    if (inner.tree !== undefined) this.tree = inner.tree.bind(inner);
  }

  has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return this.#inner.has(digest, options);
  }

  hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    return this.#inner.hasMany(digests, options);
  }

  openRead(digest: B3Digest, options?: OpenReadOptions): Promise<BlobReader | undefined> {
    return this.#inner.openRead(digest, options);
  }

  chunks(digest: B3Digest, options?: ChunksOptions): Promise<readonly ChunkMeta[] | undefined> {
    return this.#inner.chunks(digest, options);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    await closeSource(source);
    options.signal?.throwIfAborted();
    throw readOnly();
  }

  async putMany(_blobs: readonly Uint8Array[], options: CallOptions = {}): Promise<B3Digest[]> {
    options.signal?.throwIfAborted();
    throw readOnly();
  }
}

function readOnly(): CastoreError {
  return new CastoreError("UNSUPPORTED", "Cannot store a blob: the store is read-only");
}
