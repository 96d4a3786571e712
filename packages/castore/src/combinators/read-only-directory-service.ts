import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";

/** Directories that can be read and not written: whoever tries gets "UNSUPPORTED". */
export class ReadOnlyDirectoryService implements DirectoryService {
  readonly #inner: DirectoryService;

  constructor(inner: DirectoryService) {
    this.#inner = inner;
  }

  get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    return this.#inner.get(digest, options);
  }

  getRecursive(digest: B3Digest, options: CallOptions = {}): AsyncIterable<Directory> {
    return this.#inner.getRecursive(digest, options);
  }

  /** @throws {@link CastoreError} "UNSUPPORTED" */
  async put(_directory: Directory, options: CallOptions = {}): Promise<never> {
    options.signal?.throwIfAborted();
    throw refusal();
  }

  /** Closes the source. @throws {@link CastoreError} "UNSUPPORTED" */
  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<never> {
    const source =
      Symbol.asyncIterator in directories
        ? directories[Symbol.asyncIterator]()
        : directories[Symbol.iterator]();
    await source.return?.();
    options.signal?.throwIfAborted();
    throw refusal();
  }
}

function refusal(): CastoreError {
  return new CastoreError("UNSUPPORTED", "Cannot store directories: the store is only read");
}
