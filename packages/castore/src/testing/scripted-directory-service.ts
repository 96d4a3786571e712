import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";

/** What a {@link ScriptedDirectoryService} is asked to do. */
export type DirectoryCall = "get" | "getRecursive" | "put" | "putMultiple";

/** Passes calls on, counts them, and does what a test tells it to before it does. */
export class ScriptedDirectoryService implements DirectoryService {
  readonly #inner: DirectoryService;
  readonly calls: DirectoryCall[] = [];
  /** Of the calls, as they came. */
  readonly signals: (AbortSignal | undefined)[] = [];
  /** Directories that were given out by streams. */
  streamed = 0;
  /** Is waited for before each call, and before each Directory of a stream; what it throws is thrown. */
  before: (call: DirectoryCall, place: number) => void | Promise<void> = () => {};
  /** What becomes of a Directory that is read; `undefined` leaves it out. */
  change: (directory: Directory | undefined) => Directory | undefined = (directory) => directory;

  constructor(inner: DirectoryService) {
    this.#inner = inner;
  }

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    await this.#begin("get", options);
    return this.change(await this.#inner.get(digest, options));
  }

  async *getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    await this.#begin("getRecursive", options);
    let place = 0;
    for await (const directory of this.#inner.getRecursive(digest, options)) {
      const given = this.change(directory);
      if (given !== undefined) yield given;
      this.streamed++;
      await this.before("getRecursive", ++place);
    }
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    await this.#begin("put", options);
    return await this.#inner.put(directory, options);
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    await this.#begin("putMultiple", options);
    return await this.#inner.putMultiple(directories, options);
  }

  async #begin(call: DirectoryCall, { signal }: CallOptions): Promise<void> {
    this.calls.push(call);
    this.signals.push(signal);
    await this.before(call, 0);
  }
}
