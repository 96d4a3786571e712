import {
  answersOf,
  type CallOptions,
  type Clock,
  equalBytes,
  firstAnswer,
  type GuardedStore,
  type GuardOptions,
  Healing,
  type MirrorOptions,
  NegativeAnswers,
  quorumOf,
  type StoreMember,
  toLatin1,
  type WriteResult,
  whenAll,
  writeResult,
} from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import { mergePathInfo } from "../pathinfoservice/merge-path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { lookupAction } from "./assert-same-path.js";
import { getFrom } from "./fallback-path-info-service.js";
import { guardPathInfos } from "./guard-path-infos.js";
import { listGuarded } from "./list-guarded.js";
import { putGuarded } from "./put-guarded.js";

/** A path that was compared is not compared again for so long, in milliseconds. */
const COMPARED_FOR_MS = 60_000;

/**
 * The same path infos in several stores. A write has succeeded when enough of them have taken it. They are read in their
 * order; what one of them lacks, signatures included, it gets in the background when the path is read. Where they have
 * different content for a path, that of the first counts.
 *
 * A path info that a store gets promises its content by all of them **together**: blobs and Directories have to be
 * mirrored over the same stores.
 */
export class MirrorPathInfoService implements PathInfoService, AsyncDisposable {
  readonly #stores: readonly GuardedStore<PathInfoService>[];
  readonly #quorum: number;
  readonly #healing: Healing | undefined;
  /** By output hash: those that were compared a short while ago. */
  readonly #compared: NegativeAnswers;

  /** @throws RangeError for a quorum that cannot be reached, or no stores */
  constructor(
    stores: readonly StoreMember<PathInfoService>[],
    options: MirrorOptions & GuardOptions & { readonly clock?: Clock } = {},
  ) {
    this.#quorum = quorumOf(stores.length, options);
    this.#stores = guardPathInfos(stores, options);
    this.#healing = options.heal === false ? undefined : new Healing(options.onHealError);
    this.#compared = new NegativeAnswers(COMPARED_FOR_MS, options.clock);
  }

  /** @throws `CastoreError` when none has it and some did not answer */
  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    const ask = { ...options, action: lookupAction(outputHash) };
    const found = await firstAnswer(this.#stores, getFrom(outputHash), ask);
    if (found !== undefined) this.#heal(outputHash);
    return found;
  }

  /**
   * As the contract says. What stores knew of the same content before is known to all of them afterwards; what
   * `onReplace` throws ends it where it was thrown.
   *
   * @returns what all that took it know together
   */
  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    const merged = mergeAll(await this.#putInAll(pathInfo, options));
    const encoded = encodePathInfo(merged);
    if (equalBytes(encoded, encodePathInfo(pathInfo))) return merged;
    const { signal } = options;
    return mergeAll(await this.#putInAll(merged, signal ? { signal } : {}));
  }

  /** What all of them have, see `mergeListings()`. */
  list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    return listGuarded(this.#stores, options);
  }

  /** Fulfils when no store is being given what it lacks. */
  async healed(): Promise<void> {
    await this.#healing?.idle();
  }

  /** Ends what goes on in the background. */
  async close(): Promise<void> {
    await this.#healing?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #putInAll(pathInfo: PathInfo, options: PutPathInfoOptions): Promise<PathInfo[]> {
    const refusal: { error?: unknown; isThere: boolean } = { isThere: false };
    const onReplace = (known: PathInfo): void => {
      try {
        options.onReplace?.(known);
      } catch (error) {
        Object.assign(refusal, { error, isThere: true });
        throw error;
      }
    };
    const puts = this.#stores.map((store) =>
      writeResult(
        store.name,
        putGuarded(store, pathInfo, { ...options, onReplace }),
        options.signal,
      ),
    );
    const results: readonly WriteResult<PathInfo>[] = await Promise.all(puts);
    if (refusal.isThere) throw refusal.error;
    const action = `Cannot store the path info of ${pathInfo.storePath}`;
    return answersOf(results, this.#quorum, action);
  }

  #heal(outputHash: Uint8Array): void {
    const key = toLatin1(outputHash);
    if (this.#compared.has(key)) return;
    this.#healing?.start(key, async (signal) => {
      this.#compared.add(key);
      await this.#compare(outputHash, signal);
    });
  }

  async #compare(outputHash: Uint8Array, signal: AbortSignal): Promise<void> {
    const get = getFrom(outputHash);
    const answers = await Promise.allSettled(
      this.#stores.map((store) => store.run(get, { signal })),
    );
    const known = answers.flatMap((answer) =>
      answer.status === "fulfilled" && answer.value !== undefined ? [answer.value] : [],
    );
    if (known.length === 0) return;
    const merged = mergeAll(known);
    const encoded = encodePathInfo(merged);
    const lacking = this.#stores.filter((_, i) => {
      const answer = answers[i];
      // Who did not answer may have it.
      if (answer?.status !== "fulfilled") return false;
      return answer.value === undefined || !equalBytes(encodePathInfo(answer.value), encoded);
    });
    await whenAll(lacking.map((store) => putGuarded(store, merged, { signal })));
  }
}

/** What several say of one path, the first above all. There is at least one. */
function mergeAll(pathInfos: readonly PathInfo[]): PathInfo {
  return pathInfos.reduceRight((known, added) => mergePathInfo(known, added));
}
