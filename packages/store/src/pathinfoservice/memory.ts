import { type CallOptions, toLatin1 } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import { mergePathInfo } from "./merge-path-info.js";
import { assertOutputHash } from "./output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "./path-info-service.js";

/** Keeps path infos in memory. Does not check that their roots are stored anywhere. */
export class MemoryPathInfoService implements PathInfoService {
  readonly #pathInfos = new Map<string, PathInfo>();

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    return this.#pathInfos.get(toLatin1(outputHash));
  }

  peek(outputHash: Uint8Array): PathInfo | undefined {
    return this.#pathInfos.get(toLatin1(outputHash));
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    const key = toLatin1(pathInfo.storePath.digestBytes());
    const known = this.#pathInfos.get(key);
    if (known !== undefined) options.onReplace?.(known);
    const merged = mergePathInfo(known, pathInfo);
    this.#pathInfos.set(key, merged);
    return merged;
  }

  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    // One character a byte: the default order of strings is that of the bytes.
    for (const key of [...this.#pathInfos.keys()].sort()) {
      options.signal?.throwIfAborted();
      const pathInfo = this.#pathInfos.get(key);
      if (pathInfo !== undefined) yield pathInfo;
    }
  }
}
