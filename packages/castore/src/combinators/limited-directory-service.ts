import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { Semaphore } from "../semaphore.js";

export interface CallLimits {
  /** Most calls that wait for the store at a time; the others wait for these. */
  readonly maxCalls: number;
}

/**
 * Directories of a store that is asked for a limited number of things at a time. A stream counts while it is waited
 * for, and not while its reader is busy: who reads one and asks for more does not wait for itself.
 */
export class LimitedDirectoryService implements DirectoryService {
  readonly #inner: DirectoryService;
  readonly #calls: Semaphore;

  constructor(inner: DirectoryService, { maxCalls }: CallLimits) {
    this.#inner = inner;
    this.#calls = new Semaphore(maxCalls);
  }

  get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    return this.#calls.run(() => this.#inner.get(digest, options), options.signal);
  }

  async *getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    const { signal } = options;
    signal?.throwIfAborted();
    const closure = abortable(this.#inner.getRecursive(digest, options), signal);
    try {
      for (;;) {
        const item = await this.#calls.run(() => closure.next(), signal);
        if (item.done === true) return;
        yield item.value;
      }
    } finally {
      await closure.return();
    }
  }

  put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    return this.#calls.run(() => this.#inner.put(directory, options), options.signal);
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const source = abortable(directories, options.signal);
    try {
      return await this.#calls.run(() => this.#inner.putMultiple(source, options), options.signal);
    } finally {
      // Perhaps its turn never came: then it has to be begun to be closed.
      if (options.signal?.aborted === true) await source.next().catch(() => {});
    }
  }
}
