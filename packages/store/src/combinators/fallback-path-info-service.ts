import {
  type CallOptions,
  firstAnswer,
  type GuardedStore,
  type GuardOptions,
  type StoreMember,
} from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";
import { assertSamePath, lookupAction } from "./assert-same-path.js";
import { guardPathInfos } from "./guard-path-infos.js";
import { listGuarded } from "./list-guarded.js";
import { putInFirst } from "./put-guarded.js";

/**
 * Path infos of several stores, asked in their order: the next one when those before do not have it, fail, or take too
 * long. A store that fails again and again is left alone for a while. A path info is put into the first store that takes it.
 */
export class FallbackPathInfoService implements PathInfoService {
  readonly #stores: readonly GuardedStore<PathInfoService>[];

  /** @param stores - at least one */
  constructor(stores: readonly StoreMember<PathInfoService>[], options: GuardOptions = {}) {
    this.#stores = guardPathInfos(stores, options);
  }

  /** @throws `CastoreError` when none has it and some did not answer */
  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    const ask = { ...options, action: lookupAction(outputHash) };
    return await firstAnswer(this.#stores, getFrom(outputHash), ask);
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    return await putInFirst(this.#stores, pathInfo, options);
  }

  /** What all of them have, see `mergeListings()`. */
  list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    return listGuarded(this.#stores, options);
  }
}

/** Asks a store, which must not answer about another path. */
export function getFrom(
  outputHash: Uint8Array,
): (store: PathInfoService, options: CallOptions) => Promise<PathInfo | undefined> {
  return async (store, options) => {
    const pathInfo = await store.get(outputHash, options);
    if (pathInfo !== undefined) assertSamePath(outputHash, pathInfo);
    return pathInfo;
  };
}
