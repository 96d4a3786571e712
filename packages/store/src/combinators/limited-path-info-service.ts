import { abortable, type CallLimits, type CallOptions, Semaphore } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";

/**
 * Path infos of a store that is asked for a limited number of things at a time. A list counts while it is waited for, and
 * not while its reader is busy: who reads one and asks for more does not wait for itself.
 */
export class LimitedPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly #calls: Semaphore;

  constructor(inner: PathInfoService, { maxCalls }: CallLimits) {
    this.#inner = inner;
    this.#calls = new Semaphore(maxCalls);
  }

  get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    return this.#calls.run(() => this.#inner.get(outputHash, options), options.signal);
  }

  peek(outputHash: Uint8Array): PathInfo | undefined {
    return this.#inner.peek?.(outputHash);
  }

  put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    return this.#calls.run(() => this.#inner.put(pathInfo, options), options.signal);
  }

  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    const { signal } = options;
    signal?.throwIfAborted();
    const items = abortable(this.#inner.list(options), signal);
    try {
      for (;;) {
        const item = await this.#calls.run(() => items.next(), signal);
        if (item.done === true) return;
        yield item.value;
      }
    } finally {
      await items.return();
    }
  }
}
