import type { CallOptions } from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";

/** Path infos that can be read and not written: whoever tries gets "UNSUPPORTED". */
export class ReadOnlyPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;

  constructor(inner: PathInfoService) {
    this.#inner = inner;
  }

  get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(outputHash, options);
  }

  peek(outputHash: Uint8Array): PathInfo | undefined {
    return this.#inner.peek?.(outputHash);
  }

  /** @throws {@link StoreError} "UNSUPPORTED" */
  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<never> {
    options.signal?.throwIfAborted();
    throw new StoreError(
      "UNSUPPORTED",
      `Cannot store the path info of ${pathInfo.storePath}: the store is only read`,
    );
  }

  list(options: CallOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}
