import {
  type CallOptions,
  fastestAnswer,
  type GuardedStore,
  type GuardOptions,
  type StoreMember,
} from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";
import { lookupAction } from "./assert-same-path.js";
import { getFrom } from "./fallback-path-info-service.js";
import { guardPathInfos } from "./guard-path-infos.js";
import { listGuarded } from "./list-guarded.js";
import { putInFirst } from "./put-guarded.js";

/**
 * Path infos of several stores that are all asked at once: the first that has it answers, and the calls of the others are
 * aborted. A path info is put into the first store that takes it.
 */
export class RacePathInfoService implements PathInfoService {
  readonly #stores: readonly GuardedStore<PathInfoService>[];

  /** @param stores - at least one */
  constructor(stores: readonly StoreMember<PathInfoService>[], options: GuardOptions = {}) {
    this.#stores = guardPathInfos(stores, options);
  }

  /** @throws `CastoreError` when none has it and some did not answer */
  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    const ask = { ...options, action: lookupAction(outputHash) };
    return await fastestAnswer(this.#stores, getFrom(outputHash), ask);
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    return await putInFirst(this.#stores, pathInfo, options);
  }

  /** What all of them have, see `mergeListings()`. */
  list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    return listGuarded(this.#stores, options);
  }
}
