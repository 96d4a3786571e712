import { type CallOptions, firstAnswer, type GuardedStore } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";

/** What a store made of a put: what it has now, or what `onReplace` threw, which is no failure of the store. */
type PutAnswer = { readonly stored: PathInfo } | { readonly refusal: unknown };

/** Puts a path info into the store. */
export async function putGuarded(
  store: GuardedStore<PathInfoService>,
  pathInfo: PathInfo,
  { signal, onReplace }: PutPathInfoOptions,
): Promise<PathInfo> {
  const answer = await store.run(putting(pathInfo, onReplace), signal && { signal });
  return storedBy(answer);
}

/** Puts a path info into the first store that takes it. What `onReplace` throws is final. */
export async function putInFirst(
  stores: readonly GuardedStore<PathInfoService>[],
  pathInfo: PathInfo,
  { signal, onReplace }: PutPathInfoOptions,
): Promise<PathInfo> {
  const action = `Cannot store the path info of ${pathInfo.storePath}`;
  const ask = signal ? { signal, action } : { action };
  const answer = await firstAnswer(stores, putting(pathInfo, onReplace), ask);
  if (answer === undefined) throw new RangeError(`${action}: there are no stores`);
  return storedBy(answer);
}

function putting(
  pathInfo: PathInfo,
  onReplace: (known: PathInfo) => void = () => {},
): (store: PathInfoService, call: CallOptions) => Promise<PutAnswer> {
  return async (store, call) => {
    let answer: PutAnswer | undefined;
    const show = (known: PathInfo): void => {
      try {
        onReplace(known);
      } catch (refusal) {
        answer = { refusal };
        throw refusal;
      }
    };
    try {
      return { stored: await store.put(pathInfo, { ...call, onReplace: show }) };
    } catch (error) {
      if (answer === undefined) throw error;
      return answer;
    }
  };
}

function storedBy(answer: PutAnswer): PathInfo {
  if ("refusal" in answer) throw answer.refusal;
  return answer.stored;
}
