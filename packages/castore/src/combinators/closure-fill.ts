import { abortable } from "../blobservice/abortable.js";
import type { Clock } from "../clock.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { RootToLeavesValidator } from "../directoryservice/order-validator.js";
import type { Directory } from "../nodes/directory.js";
import { orAbort } from "../or-abort.js";
import { digestDirectory } from "../wire/directory-digest.js";
import type { KeptDirectories } from "./kept-directories.js";

/** How much one {@link ClosureFill} takes. */
export interface FillLimits {
  readonly maxDirectories: number;
  /** Of their encodings together. */
  readonly maxBytes: number;
}

export interface ClosureFillOptions {
  /** Need not be trusted. */
  readonly far: DirectoryService;
  readonly kept: KeptDirectories;
  readonly limits: FillLimits;
  readonly clock: Clock;
}

/** Directories that may have come without anybody having asked for them, before anybody waits. */
const FIRST_AHEAD = 256;
/** How long a fill that is far enough ahead waits for somebody to follow, in milliseconds. */
const IDLE_MS = 5000;
/** Least time that a Directory which is on its way is waited for before it is asked for by itself. */
const LEAST_PATIENCE_MS = 10;

/** Somebody waits for a Directory that is to come. */
export interface Wait {
  /** `undefined` when the fill ends before it comes. Never fails. */
  readonly arrival: Promise<Directory | undefined>;
  /** Waits no longer: {@link arrival} stays as it is. */
  leave(): void;
}

/** What tells those who wait for one Directory. */
type Arrivals = Set<(directory: Directory | undefined) => void>;

/**
 * Takes the closure of one Directory from far in one call, and keeps what comes. It gets ahead of those who read by a
 * limited number of Directories, which doubles whenever somebody has to wait: a walk gets all in a few round trips,
 * and a single look costs little.
 */
export class ClosureFill {
  /** When it is over, with what it failed with, if it did. */
  readonly ended: Promise<{ readonly failure?: unknown }>;
  readonly #root: B3Digest;
  readonly #options: ClosureFillOptions;
  readonly #validator: RootToLeavesValidator;
  readonly #abort = new AbortController();
  readonly #waiting = new Map<string, Arrivals>();
  /** Keys of those that came and that nobody has asked for. */
  readonly #untouched = new Set<string>();
  #ahead = FIRST_AHEAD;
  #resume: (() => void) | undefined;
  #directories = 0;
  #bytes = 0;
  #hasEnded = false;
  readonly #begun: number;
  #firstAnswerMs: number | undefined;

  constructor(root: B3Digest, options: ClosureFillOptions) {
    this.#root = root;
    this.#options = options;
    this.#validator = new RootToLeavesValidator(root);
    this.#begun = options.clock.now();
    this.ended = this.#run();
  }

  /** How long it is worth while to {@link wait}: about as long as another call would take. */
  get patienceMs(): number {
    return Math.max(LEAST_PATIENCE_MS, this.#firstAnswerMs ?? 0);
  }

  /** Whether it waits for somebody to follow. */
  get isPaused(): boolean {
    return this.#resume !== undefined;
  }

  /** Whether that Directory will come, unless the fill ends before. */
  expects(digest: B3Digest): boolean {
    return !this.#hasEnded && this.#validator.expects(digest);
  }

  /** Notes that somebody has asked for a Directory. */
  touch(digest: B3Digest): void {
    if (this.#untouched.delete(digest.key)) this.#resume?.();
  }

  /** Waits for one that is expected. As long as somebody does, the fill does not pause. */
  wait(digest: B3Digest): Wait {
    this.#ahead *= 2;
    return this.#wait(digest);
  }

  /**
   * The root; `undefined` when far does not have it. The fill ends when nobody waits for that any more.
   *
   * @throws what far failed with, and the reason of `signal`
   */
  async first(signal: AbortSignal): Promise<Directory | undefined> {
    try {
      const root = await orAbort(this.#wait(this.#root).arrival, signal);
      if (root !== undefined) return root;
    } catch (reason) {
      this.end(reason);
      throw reason;
    }
    const end = await this.ended;
    if ("failure" in end) throw end.failure;
    return undefined;
  }

  /** Takes no more. */
  end(reason?: unknown): void {
    this.#abort.abort(reason);
    this.#resume?.();
  }

  #wait(digest: B3Digest): Wait {
    if (this.#hasEnded) return { arrival: Promise.resolve(undefined), leave: () => {} };
    const { key } = digest;
    const arrivals: Arrivals = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, arrivals);
    let leave = (): void => {};
    const arrival = new Promise<Directory | undefined>((resolve) => {
      arrivals.add(resolve);
      leave = () => {
        arrivals.delete(resolve);
        if (arrivals.size === 0 && this.#waiting.get(key) === arrivals) this.#waiting.delete(key);
      };
    });
    this.#resume?.();
    return { arrival, leave };
  }

  async #run(): Promise<{ readonly failure?: unknown }> {
    const { kept } = this.#options;
    const { losses } = kept;
    try {
      const isComplete = await this.#takeAll();
      if (isComplete) await kept.addClosure(this.#root, losses);
      return {};
    } catch (failure) {
      return { failure };
    } finally {
      this.#hasEnded = true;
      this.#untouched.clear();
      for (const arrivals of this.#waiting.values()) for (const tell of arrivals) tell(undefined);
      this.#waiting.clear();
    }
  }

  /** Whether all of the closure has come. */
  async #takeAll(): Promise<boolean> {
    const { signal } = this.#abort;
    // The first call is made after the constructor has returned, so that it may fail at once.
    await Promise.resolve();
    const closure = this.#options.far.getRecursive(this.#root, { signal });
    for await (const directory of abortable(closure, signal)) {
      // Repetitions count too: a store that does nothing else comes to an end.
      this.#directories++;
      if (!this.#validator.add(directory).repeated) this.#take(directory);
      if (this.#isFull) return false;
      await this.#room();
    }
    return this.#validator.finalize() === "complete";
  }

  #take(directory: Directory): void {
    const { kept, clock } = this.#options;
    const { digest, encoded } = digestDirectory(directory);
    this.#firstAnswerMs ??= clock.now() - this.#begun;
    this.#bytes += encoded.byteLength;
    kept.add(directory);
    const arrivals = this.#waiting.get(digest.key);
    this.#waiting.delete(digest.key);
    if (arrivals === undefined) this.#untouched.add(digest.key);
    else for (const tell of arrivals) tell(directory);
  }

  get #isFull(): boolean {
    const { maxDirectories, maxBytes } = this.#options.limits;
    return this.#directories >= maxDirectories || this.#bytes >= maxBytes;
  }

  get #isFarAhead(): boolean {
    return this.#waiting.size === 0 && this.#untouched.size >= this.#ahead;
  }

  /** Waits as long as it is far enough ahead of those who read. */
  async #room(): Promise<void> {
    const { clock } = this.#options;
    while (this.#isFarAhead && !this.#abort.signal.aborted) {
      const stopTimer = clock.after(IDLE_MS, () => this.end());
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
      this.#resume = undefined;
      stopTimer();
    }
  }
}
