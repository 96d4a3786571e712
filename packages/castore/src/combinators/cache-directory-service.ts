import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import { type Clock, SYSTEM_CLOCK } from "../clock.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { CastoreError } from "../errors.js";
import { LinkedAbort } from "../linked-abort.js";
import type { Directory } from "../nodes/directory.js";
import { orAbort } from "../or-abort.js";
import { SingleFlight } from "../single-flight.js";
import { childrenOf, leavesToRoot } from "../traversal/closure-order.js";
import { walkClosure } from "../traversal/walk.js";
import { directoryDigest } from "../wire/directory-digest.js";
import type { CacheNotes } from "./cache-notes.js";
import { ClosureFill, type FillLimits } from "./closure-fill.js";
import { type FarOptions, guardFar } from "./far-store.js";
import { GuardedDirectories } from "./guarded-directories.js";
import { HeldClosure } from "./held-closure.js";
import {
  type KeptDirectories,
  NotedDirectories,
  RememberedDirectories,
} from "./kept-directories.js";
import { NegativeAnswers } from "./negative-answers.js";
import { VerifiedDirectoryService } from "./verified-directory-service.js";

export interface CacheDirectoryServiceOptions {
  /**
   * Where writes go: "near" (the default) is what tvix and snix do; "through" writes to far, and to near when far has
   * accepted.
   */
  readonly writes?: "near" | "through";
  /**
   * Where what is read from far is kept, one Directory at a time. Near then gets nothing by reading, and stays a store
   * in which all is that a Directory refers to. Without notes, what is read is remembered in memory, and near gets closures
   * as soon as all of one has come.
   */
  readonly notes?: CacheNotes;
  /** How long it is remembered that far does not have a Directory, in milliseconds; 60,000 by default. */
  readonly missesForMs?: number;
  /**
   * What one miss may fetch of what lies below, besides the Directory itself; by default up to 65,536 Directories or
   * 16 MiB of them. `false` for a far that is not far away.
   */
  readonly prefetch?: Partial<FillLimits> | false;
  /** How patient far is waited for, and when it is left alone; what it is called in messages ("far"). */
  readonly far?: FarOptions;
  /** Is told why something that was read could not be kept: reads do not fail for that. */
  readonly onFillError?: (error: unknown) => void;
  readonly clock?: Clock;
}

const DEFAULT_LIMITS: FillLimits = { maxDirectories: 65_536, maxBytes: 16 * 1024 * 1024 };
const DEFAULT_MISSES_FOR_MS = 60_000;
/** Closures that are fetched at a time; more than that is asked for one by one. */
const MAX_FILLS = 8;

/** What is here of a Directory: it, or nothing, and why that is not known for sure. */
interface Nearby {
  readonly directory?: Directory | undefined;
  readonly failure?: { readonly error: unknown } | undefined;
}

/**
 * A store that is near over one that is far. What is read from far is verified, and kept. What is asked for is asked
 * for once, however many ask at a time.
 *
 * A miss takes one call, which is answered as soon as the Directory has come. What lies below it goes on coming in the
 * background, within limits, so that a walk need not wait for each. {@link close} ends that.
 *
 * Whoever can see a root here can read all of it, from near or from far; near alone need not have all.
 */
export class CacheDirectoryService implements DirectoryService, AsyncDisposable {
  readonly #near: DirectoryService;
  /** As it was given: what comes from there by other ways than {@link #verified} is verified by who asks. */
  readonly #far: DirectoryService;
  readonly #verified: VerifiedDirectoryService;
  readonly #writesThrough: boolean;
  readonly #kept: KeptDirectories;
  readonly #limits: FillLimits | undefined;
  readonly #onFillError: (error: unknown) => void;
  readonly #clock: Clock;
  readonly #absent: NegativeAnswers;
  readonly #lookups = new SingleFlight<Directory | undefined>();
  readonly #fills = new Set<ClosureFill>();
  #isClosed = false;

  constructor(
    near: DirectoryService,
    far: DirectoryService,
    options: CacheDirectoryServiceOptions = {},
  ) {
    const { notes, prefetch, onFillError = () => {}, clock = SYSTEM_CLOCK } = options;
    this.#near = near;
    this.#far = new GuardedDirectories(guardFar(far, options.far, clock));
    this.#verified = new VerifiedDirectoryService(this.#far);
    this.#writesThrough = options.writes === "through";
    this.#kept =
      notes === undefined
        ? new RememberedDirectories(near, onFillError)
        : new NotedDirectories(notes, onFillError);
    this.#limits = prefetch === false ? undefined : { ...DEFAULT_LIMITS, ...prefetch };
    this.#onFillError = onFillError;
    this.#clock = clock;
    this.#absent = new NegativeAnswers(options.missesForMs ?? DEFAULT_MISSES_FOR_MS, clock);
  }

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    options.signal?.throwIfAborted();
    const { directory, failure } = await this.#nearby(digest, options);
    if (directory !== undefined) {
      for (const fill of this.#fills) fill.touch(digest);
      return directory;
    }
    const fetched = this.#absent.has(digest.key)
      ? undefined
      : await this.#lookups.run(
          digest.key,
          (signal) => this.#fetch(digest, signal),
          options.signal,
        );
    // Near may have what far does not.
    if (fetched === undefined && failure !== undefined) throw failure.error;
    return fetched;
  }

  /**
   * As the contract says: from near when all is there, and otherwise from far.
   *
   * @throws {@link InvalidDirectoryClosureError} when far does not give all of it
   */
  async *getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    options.signal?.throwIfAborted();
    if (await this.#keepsClosure(digest)) return yield* this.#walk(digest, options);
    const given = new Set<string>();
    let failure: Nearby["failure"];
    try {
      for await (const directory of this.#near.getRecursive(digest, options)) {
        given.add(directoryDigest(directory).key);
        yield directory;
      }
      if (given.size > 0) return;
    } catch (error) {
      options.signal?.throwIfAborted();
      failure = { error };
    }
    if (given.size === 0) return yield* this.#stream(digest, failure, options);
    // Near has a gap. The order is the same everywhere.
    for await (const directory of this.#walk(digest, options)) {
      if (!given.has(directoryDigest(directory).key)) yield directory;
    }
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    options.signal?.throwIfAborted();
    if (!this.#writesThrough) return await this.#putNear(directory, options);
    const digest = await this.#verified.put(directory, options);
    this.#absent.delete(digest.key);
    // Near may lack what is below.
    this.#kept.add(directory);
    return digest;
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    if (!this.#writesThrough) return await this.#near.putMultiple(directories, options);
    const closure = new HeldClosure(abortable(directories, options.signal));
    const root = await this.#verified.putMultiple(closure, options);
    for (const key of closure.keys) this.#absent.delete(key);
    await this.#keep(closure, options);
    return root;
  }

  /** Ends what goes on in the background, and waits until what came is kept. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const reason = new CastoreError(
      "UNAVAILABLE",
      "Cannot read directories: the cache is being closed",
    );
    const ends = [...this.#fills].map((fill) => {
      fill.end(reason);
      return fill.ended;
    });
    await Promise.all(ends);
    await this.#kept.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #nearby(digest: B3Digest, options: CallOptions): Promise<Nearby> {
    let failure: Nearby["failure"];
    const places = [() => this.#kept.get(digest), () => this.#near.get(digest, options)];
    for (const place of places) {
      try {
        const directory = await place();
        if (directory !== undefined) return { directory };
      } catch (error) {
        options.signal?.throwIfAborted();
        failure = { error };
      }
    }
    return { failure };
  }

  async #keepsClosure(digest: B3Digest): Promise<boolean> {
    try {
      return await this.#kept.hasClosure(digest);
    } catch (error) {
      this.#onFillError(error);
      return false;
    }
  }

  #walk(digest: B3Digest, options: CallOptions): AsyncGenerator<Directory, void, undefined> {
    return walkClosure((child, call) => this.get(child, call), digest, options);
  }

  /** The closure from far; from here, as far as it goes, where far cannot be asked. */
  async *#stream(
    digest: B3Digest,
    nearFailure: Nearby["failure"],
    options: CallOptions,
  ): AsyncGenerator<Directory, void, undefined> {
    const { losses } = this.#kept;
    let isBegun = false;
    if (!this.#absent.has(digest.key)) {
      try {
        for await (const directory of this.#verified.getRecursive(digest, options)) {
          isBegun = true;
          this.#kept.add(directory);
          yield directory;
        }
      } catch (error) {
        options.signal?.throwIfAborted();
        const isHere = !isBegun && (await this.#nearby(digest, options)).directory !== undefined;
        if (!isHere) throw error;
        return yield* this.#walk(digest, options);
      }
      if (isBegun) return await this.#kept.addClosure(digest, losses);
      this.#absent.add(digest.key);
    }
    if (nearFailure !== undefined) throw nearFailure.error;
  }

  async #fetch(digest: B3Digest, signal: AbortSignal): Promise<Directory | undefined> {
    for (const fill of this.#fills) {
      if (!fill.expects(digest)) continue;
      const directory = await this.#await(fill, digest, signal);
      if (directory !== undefined) return directory;
    }
    // It may have come between the look for it and now.
    const kept = await this.#kept.get(digest);
    if (kept !== undefined) return kept;
    const limits = this.#isClosed ? undefined : this.#limits;
    if (limits === undefined || !this.#hasRoom()) return await this.#getFar(digest, signal);
    const directory = await this.#fill(digest, limits).first(signal);
    if (directory === undefined) this.#absent.add(digest.key);
    return directory;
  }

  /** Whether another fill may begin, for which the oldest ends that nobody follows. */
  #hasRoom(): boolean {
    if (this.#fills.size < MAX_FILLS) return true;
    for (const fill of this.#fills) {
      if (!fill.isPaused) continue;
      fill.end();
      return true;
    }
    return false;
  }

  #fill(digest: B3Digest, limits: FillLimits): ClosureFill {
    const fill = new ClosureFill(digest, {
      ...{ far: this.#far, kept: this.#kept, clock: this.#clock, limits },
    });
    this.#fills.add(fill);
    // It never fails.
    void fill.ended.then(() => this.#fills.delete(fill));
    return fill;
  }

  /** What a fill brings, or another call where that takes long; `undefined` when neither does. */
  async #await(
    fill: ClosureFill,
    digest: B3Digest,
    signal: AbortSignal,
  ): Promise<Directory | undefined> {
    const { arrival, leave } = fill.wait(digest);
    const call = new LinkedAbort(signal);
    let stopTimer = (): void => {};
    const patience = new Promise<"late">((resolve) => {
      stopTimer = this.#clock.after(fill.patienceMs, () => resolve("late"));
    });
    try {
      const early = await orAbort(Promise.race([arrival, patience]), signal);
      if (early !== "late") return early;
      return await orAbort(firstThere(arrival, this.#getFar(digest, call.signal)), signal);
    } finally {
      leave();
      stopTimer();
      call.end();
    }
  }

  async #getFar(digest: B3Digest, signal: AbortSignal): Promise<Directory | undefined> {
    const directory = await this.#verified.get(digest, { signal });
    if (directory === undefined) this.#absent.add(digest.key);
    else this.#kept.add(directory);
    return directory;
  }

  /** Stores a Directory near, where its children have to be: those that only far has come along. */
  async #putNear(directory: Directory, options: CallOptions): Promise<B3Digest> {
    try {
      return await this.#near.put(directory, options);
    } catch (error) {
      if (!CastoreError.is(error, "MISSING_REFERENCE")) throw error;
      const below = new Map<string, Directory>();
      for (const child of childrenOf(directory)) {
        if (below.has(child.key)) continue;
        for await (const part of this.getRecursive(child, options)) {
          below.set(directoryDigest(part).key, part);
        }
        if (!below.has(child.key)) throw error;
      }
      return await this.#near.putMultiple(leavesToRoot(directory, below), options);
    }
  }

  /** Far has it: what near makes of it does not matter to the caller. */
  async #keep(closure: HeldClosure, options: CallOptions): Promise<void> {
    if (closure.directories === undefined) return;
    try {
      await this.#near.putMultiple(closure.directories, options);
    } catch (error) {
      this.#onFillError(error);
    }
  }
}

/** What one of both finds; `undefined` when neither does. */
async function firstThere<T>(
  one: Promise<T | undefined>,
  other: Promise<T | undefined>,
): Promise<T | undefined> {
  return await Promise.race([
    one.then((found) => found ?? other),
    other.then(
      (found) => found ?? one,
      async (error: unknown) => {
        const found = await one;
        if (found === undefined) throw error;
        return found;
      },
    ),
  ]);
}
