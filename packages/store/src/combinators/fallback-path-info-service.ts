import {
  type CallOptions,
  firstAnswer,
  GuardedStore,
  type GuardOptions,
  type StoreMember,
} from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";
import { assertSamePath, lookupAction } from "./assert-same-path.js";
import { listGuarded } from "./list-guarded.js";

/**
 * Path infos of several stores, asked in their order: the next one when those before do not have it, fail, or take too
 * long. A store that fails again and again is left alone for a while. A path info is put into the first store that takes it.
 */
export class FallbackPathInfoService implements PathInfoService {
  readonly #stores: readonly GuardedStore<PathInfoService>[];

  /** @param stores - at least one */
  constructor(stores: readonly StoreMember<PathInfoService>[], options: GuardOptions = {}) {
    this.#stores = stores.map((member) => new GuardedStore(member, options));
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

/** What a store made of a put: what it has now, or what `onReplace` threw, which is no failure of the store. */
type PutAnswer = { readonly stored: PathInfo } | { readonly refusal: unknown };

/** Puts a path info into the first store that takes it. What `onReplace` throws is final. */
export async function putInFirst(
  stores: readonly GuardedStore<PathInfoService>[],
  pathInfo: PathInfo,
  { signal, onReplace = () => {} }: PutPathInfoOptions,
): Promise<PathInfo> {
  const ask = async (store: PathInfoService, call: CallOptions): Promise<PutAnswer> => {
    let refusal: { readonly refusal: unknown } | undefined;
    const show = (known: PathInfo): void => {
      try {
        onReplace(known);
      } catch (error) {
        refusal = { refusal: error };
        throw error;
      }
    };
    try {
      return { stored: await store.put(pathInfo, { ...call, onReplace: show }) };
    } catch (error) {
      if (refusal === undefined) throw error;
      return refusal;
    }
  };
  const action = `Cannot store the path info of ${pathInfo.storePath}`;
  const answer = await firstAnswer(stores, ask, signal ? { signal, action } : { action });
  if (answer === undefined) throw new RangeError(`${action}: there are no stores`);
  if ("refusal" in answer) throw answer.refusal;
  return answer.stored;
}
