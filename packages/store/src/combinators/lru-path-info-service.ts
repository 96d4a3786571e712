import { type CallOptions, LastUsed, toLatin1 } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import { mergePathInfo } from "../pathinfoservice/merge-path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";

export interface LruPathInfoOptions {
  /** How many path infos are remembered; at least 1. */
  readonly capacity: number;
  /**
   * Who has all of them. What others than this object change there is seen when it is forgotten here. Without, what is
   * forgotten is gone.
   */
  readonly inner?: PathInfoService;
}

/** Remembers the path infos in memory that were used last, by itself or of another store. */
export class LruPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService | undefined;
  readonly #known: LastUsed<string, PathInfo>;
  /** Grows with every change, so that an answer from before is not taken for a later one. */
  #changes = 0;

  /** @throws RangeError for a capacity below 1 */
  constructor({ capacity, inner }: LruPathInfoOptions) {
    if (!(capacity >= 1)) throw new RangeError(`Cannot remember ${capacity} path infos`);
    this.#inner = inner;
    this.#known = new LastUsed(capacity, () => 1);
  }

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    const key = toLatin1(outputHash);
    const known = this.#known.get(key);
    if (known !== undefined || this.#inner === undefined) return known;
    const changes = this.#changes;
    const found = await this.#inner.get(outputHash, options);
    if (found !== undefined && changes === this.#changes) this.#known.add(key, found);
    return found;
  }

  peek(outputHash: Uint8Array): PathInfo | undefined {
    return this.#known.get(toLatin1(outputHash)) ?? this.#inner?.peek?.(outputHash);
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    const key = toLatin1(pathInfo.storePath.digestBytes());
    if (this.#inner === undefined) {
      const known = this.#known.get(key);
      if (known !== undefined) options.onReplace?.(known);
      const merged = mergePathInfo(known, pathInfo);
      this.#known.add(key, merged);
      return merged;
    }
    try {
      // What comes of puts at the same time is known to the other store alone.
      return await this.#inner.put(pathInfo, options);
    } finally {
      this.#changes++;
      this.#known.delete(key);
    }
  }

  /** All that the other store has; without one, what is remembered. */
  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    if (this.#inner !== undefined) return yield* this.#inner.list(options);
    const known = [...this.#known.entries()];
    // One character a byte: the order of strings is that of the bytes.
    known.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [, pathInfo] of known) {
      options.signal?.throwIfAborted();
      yield pathInfo;
    }
  }
}
