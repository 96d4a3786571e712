import {
  type CacheNotes,
  type CallOptions,
  type Clock,
  equalBytes,
  type FarOptions,
  type GuardedStore,
  NegativeAnswers,
  NoteQueue,
  SingleFlight,
  SYSTEM_CLOCK,
  toLatin1,
} from "@tvix/castore";
import { StoreError } from "../errors.js";
import { InvalidPathInfoError, type PathInfo } from "../path-info.js";
import { mergePathInfo } from "../pathinfoservice/merge-path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";
import { decodePathInfo, encodePathInfo } from "../wire/path-info-codec.js";
import { assertSamePath } from "./assert-same-path.js";
import { guardFarPathInfos } from "./guard-path-infos.js";
import { mergeListings } from "./merge-listings.js";
import { putGuarded } from "./put-guarded.js";

export interface CachePathInfoServiceOptions {
  /**
   * Where writes go: "near" (the default) is what tvix and snix do; "through" writes to far, and to near when far has
   * accepted.
   */
  readonly writes?: "near" | "through";
  /**
   * Where what is read from far is kept. Near then gets nothing by reading, and has no path whose content it lacks.
   * Without notes, near gets it.
   */
  readonly notes?: CacheNotes;
  /** How long it is remembered that far does not have a path, in milliseconds; 60,000 by default. */
  readonly missesForMs?: number;
  /**
   * How patient far is waited for, 10 minutes by default, as an answer may be a download; when it is left alone; what it
   * is called in messages ("far").
   */
  readonly far?: FarOptions;
  /** Is told why something that was read could not be kept: reads do not fail for that. */
  readonly onFillError?: (error: unknown) => void;
  readonly clock?: Clock;
}

const DEFAULT_MISSES_FOR_MS = 60_000;

/** What is here of a path, or why that is not known for sure. */
interface Nearby {
  readonly pathInfo?: PathInfo | undefined;
  readonly failure?: { readonly error: unknown } | undefined;
}

/**
 * A store that is near over one that is far. What is read from far is kept until it is put again here; what is asked for
 * is asked for once, however many ask at a time.
 *
 * A path info that is kept promises its content by near and far **together**: the blobs and Directories have to be read
 * through caches over the same two stores.
 */
export class CachePathInfoService implements PathInfoService, AsyncDisposable {
  readonly #near: PathInfoService;
  readonly #far: GuardedStore<PathInfoService>;
  readonly #writesThrough: boolean;
  readonly #notes: NoteQueue | undefined;
  readonly #onFillError: (error: unknown) => void;
  readonly #absent: NegativeAnswers;
  readonly #lookups = new SingleFlight<PathInfo | undefined>();

  constructor(
    near: PathInfoService,
    far: PathInfoService,
    options: CachePathInfoServiceOptions = {},
  ) {
    const { notes, onFillError = () => {}, clock = SYSTEM_CLOCK } = options;
    this.#near = near;
    this.#far = guardFarPathInfos(far, options.far, clock);
    this.#writesThrough = options.writes === "through";
    this.#notes = notes && new NoteQueue(notes, onFillError);
    this.#onFillError = onFillError;
    this.#absent = new NegativeAnswers(options.missesForMs ?? DEFAULT_MISSES_FOR_MS, clock);
  }

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    const { pathInfo, failure } = await this.#nearby(outputHash, options);
    if (pathInfo !== undefined) return pathInfo;
    const key = toLatin1(outputHash);
    const fetched = this.#absent.has(key)
      ? undefined
      : await this.#lookups.run(key, (signal) => this.#fetch(outputHash, signal), options.signal);
    // Near may have what far does not.
    if (fetched === undefined && failure !== undefined) throw failure.error;
    return fetched;
  }

  peek(outputHash: Uint8Array): PathInfo | undefined {
    return this.#near.peek?.(outputHash);
  }

  /**
   * As the contract says. Into near goes what far knows of the same content, too, its signatures above all; where far
   * cannot be reached, what is written goes without.
   */
  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    return this.#writesThrough
      ? await this.#putThrough(pathInfo, options)
      : await this.#putNear(pathInfo, options);
  }

  /**
   * Both lists, merged; where writes go through, far's alone, which has everything. A far that cannot list, as caches of
   * Nix, is left out. One that fails, fails the list: what is not whole is no list.
   */
  list(options: CallOptions = {}): AsyncIterable<PathInfo> {
    const far = {
      list: (call: CallOptions = {}) => this.#far.stream((store, given) => store.list(given), call),
    };
    return this.#writesThrough ? far.list(options) : mergeListings([this.#near, far], options);
  }

  /** Waits until what was read is kept. */
  async close(): Promise<void> {
    await this.#notes?.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #nearby(outputHash: Uint8Array, options: CallOptions): Promise<Nearby> {
    let failure: Nearby["failure"];
    const places = [() => this.#near.get(outputHash, options), () => this.#noted(outputHash)];
    for (const place of places) {
      try {
        const pathInfo = await place();
        if (pathInfo !== undefined) return { pathInfo };
      } catch (error) {
        options.signal?.throwIfAborted();
        failure = { error };
      }
    }
    return { failure };
  }

  /** What is damaged is not there. */
  async #noted(outputHash: Uint8Array): Promise<PathInfo | undefined> {
    const encoded = await this.#notes?.get(outputHash);
    if (encoded === undefined) return undefined;
    try {
      const pathInfo = decodePathInfo(encoded);
      return equalBytes(pathInfo.storePath.digestBytes(), outputHash) ? pathInfo : undefined;
    } catch (error) {
      if (error instanceof InvalidPathInfoError) return undefined;
      throw error;
    }
  }

  async #fetch(outputHash: Uint8Array, signal: AbortSignal): Promise<PathInfo | undefined> {
    const pathInfo = await this.#getFar(outputHash, { signal });
    if (pathInfo !== undefined) await this.#keep(pathInfo, { signal });
    return pathInfo;
  }

  async #getFar(outputHash: Uint8Array, options: CallOptions): Promise<PathInfo | undefined> {
    const pathInfo = await this.#far.run((store, call) => store.get(outputHash, call), options);
    if (pathInfo === undefined) this.#absent.add(toLatin1(outputHash));
    else assertSamePath(outputHash, pathInfo);
    return pathInfo;
  }

  async #keep(pathInfo: PathInfo, options: CallOptions): Promise<void> {
    if (this.#notes !== undefined) {
      this.#notes.put(pathInfo.storePath.digestBytes(), encodePathInfo(pathInfo));
    } else {
      await this.#fillNear(pathInfo, options);
    }
  }

  async #fillNear(pathInfo: PathInfo, options: CallOptions): Promise<void> {
    try {
      await this.#near.put(pathInfo, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#onFillError(error);
    }
  }

  async #putThrough(pathInfo: PathInfo, options: PutPathInfoOptions): Promise<PathInfo> {
    const stored = await putGuarded(this.#far, pathInfo, options);
    const outputHash = stored.storePath.digestBytes();
    this.#absent.delete(toLatin1(outputHash));
    const { signal } = options;
    const call = signal ? { signal } : {};
    // What near has comes before notes.
    if (this.#notes === undefined || (await this.#isNear(outputHash, call))) {
      await this.#fillNear(stored, call);
    } else {
      await this.#keep(stored, call);
    }
    return stored;
  }

  async #isNear(outputHash: Uint8Array, options: CallOptions): Promise<boolean> {
    try {
      return (await this.#near.get(outputHash, options)) !== undefined;
    } catch (error) {
      options.signal?.throwIfAborted();
      // What is damaged there is to be replaced.
      if (StoreError.is(error, "CORRUPT")) return false;
      throw error;
    }
  }

  async #putNear(pathInfo: PathInfo, options: PutPathInfoOptions): Promise<PathInfo> {
    const outputHash = pathInfo.storePath.digestBytes();
    // What is there was merged with what far knew when it was put.
    if (await this.#isNear(outputHash, options)) return await this.#near.put(pathInfo, options);
    const known = await this.#knownFar(outputHash, options);
    if (known !== undefined) options.onReplace?.(known);
    return await this.#near.put(mergePathInfo(known, pathInfo), options);
  }

  async #knownFar(outputHash: Uint8Array, options: CallOptions): Promise<PathInfo | undefined> {
    try {
      const noted = await this.#noted(outputHash);
      if (noted !== undefined || this.#absent.has(toLatin1(outputHash))) return noted;
      return await this.#getFar(outputHash, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#onFillError(error);
      return undefined;
    }
  }
}
