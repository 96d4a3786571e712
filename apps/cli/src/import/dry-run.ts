import {
  type B3Digest,
  type BlobReader,
  type BlobService,
  blake3,
  type CallOptions,
  type ChunkMeta,
  createBlake3,
  type Directory,
  type DirectoryService,
  encodeDirectory,
} from "@tvix/castore";
import type { PathInfo, PathInfoService } from "@tvix/store";

/** What storing would add, and what it would find. */
export interface DryRunCounts {
  newObjects: number;
  newBytes: number;
  knownObjects: number;
  knownBytes: number;
}

/** Remembers what would have been stored by now, and counts. */
class Ledger {
  readonly #counts: DryRunCounts;
  readonly #stored = new Set<string>();

  constructor(counts: DryRunCounts) {
    this.#counts = counts;
  }

  has(digest: B3Digest): boolean {
    return this.#stored.has(digest.key);
  }

  /** @param isStored - whether the store below has it */
  enter(digest: B3Digest, bytes: number, isStored: boolean): void {
    if (isStored || this.has(digest)) {
      this.#counts.knownObjects++;
      this.#counts.knownBytes += bytes;
    } else {
      this.#counts.newObjects++;
      this.#counts.newBytes += bytes;
      this.#stored.add(digest.key);
    }
  }
}

/** Digests what it is given and counts what `inner` does not have, without storing anything. */
export class DryRunBlobService implements BlobService {
  readonly #inner: BlobService;
  readonly #ledger: Ledger;

  constructor(inner: BlobService, counts: DryRunCounts) {
    this.#inner = inner;
    this.#ledger = new Ledger(counts);
  }

  async has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return this.#ledger.has(digest) || (await this.#inner.has(digest, options));
  }

  async hasMany(digests: readonly B3Digest[], options?: CallOptions): Promise<boolean[]> {
    const inner = await this.#inner.hasMany(digests, options);
    return digests.map((digest, i) => this.#ledger.has(digest) || inner[i] === true);
  }

  openRead(digest: B3Digest, options?: CallOptions): Promise<BlobReader | undefined> {
    return this.#inner.openRead(digest, options);
  }

  async put(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const hash = createBlake3();
    try {
      let length = 0;
      for await (const bytes of source) {
        options.signal?.throwIfAborted();
        hash.update(bytes);
        length += bytes.byteLength;
      }
      const digest = hash.digest();
      this.#ledger.enter(digest, length, await this.#inner.has(digest, options));
      return digest;
    } finally {
      hash.dispose();
    }
  }

  async putMany(blobs: readonly Uint8Array[], options: CallOptions = {}): Promise<B3Digest[]> {
    options.signal?.throwIfAborted();
    const lengths = blobs.map((blob) => blob.byteLength);
    const digests = blobs.map((blob) => blake3(blob));
    const known = await this.#inner.hasMany(digests, options);
    digests.forEach((digest, i) => {
      this.#ledger.enter(digest, lengths[i] ?? 0, known[i] === true);
    });
    return digests;
  }

  chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined> {
    return this.#inner.chunks(digest, options);
  }
}

/** Like {@link DryRunBlobService}, for Directories. */
export class DryRunDirectoryService implements DirectoryService {
  readonly #inner: DirectoryService;
  readonly #ledger: Ledger;

  constructor(inner: DirectoryService, counts: DryRunCounts) {
    this.#inner = inner;
    this.#ledger = new Ledger(counts);
  }

  get(digest: B3Digest, options?: CallOptions): Promise<Directory | undefined> {
    return this.#inner.get(digest, options);
  }

  getRecursive(digest: B3Digest, options?: CallOptions): AsyncIterable<Directory> {
    return this.#inner.getRecursive(digest, options);
  }

  async put(directory: Directory, options?: CallOptions): Promise<B3Digest> {
    const bytes = encodeDirectory(directory);
    const digest = blake3(bytes);
    const isStored = (await this.#inner.get(digest, options)) !== undefined;
    this.#ledger.enter(digest, bytes.byteLength, isStored);
    return digest;
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options?: CallOptions,
  ): Promise<B3Digest> {
    let root: B3Digest | undefined;
    for await (const directory of directories) root = await this.put(directory, options);
    if (root === undefined) throw new TypeError("Cannot store a closure without Directories");
    return root;
  }
}

/** Answers from `inner` and stores nothing. */
export class DryRunPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;

  constructor(inner: PathInfoService) {
    this.#inner = inner;
  }

  get(outputHash: Uint8Array, options?: CallOptions): Promise<PathInfo | undefined> {
    return this.#inner.get(outputHash, options);
  }

  async put(pathInfo: PathInfo): Promise<PathInfo> {
    return pathInfo;
  }

  list(options?: CallOptions): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}
