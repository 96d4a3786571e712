import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { StoreError } from "../errors.js";
import { Bzip2Decoder, type Bzip2Step } from "./bzip2-decoder.js";
import type { Bzip2Farewell, Bzip2Reply, Bzip2Request } from "./bzip2-messages.js";
import { CompressionError } from "./compression-error.js";
import { workerUrl } from "./worker-url.js";

/** One stream that is decompressed. */
export interface Bzip2Steps {
  /**
   * The next step, after `input` has come.
   *
   * @param ended - nothing comes after that
   * @throws {@link CompressionError} for what is no bzip2
   */
  step(input: Uint8Array | undefined, ended: boolean): Promise<Bzip2Step>;
  /** Ends the stream, at its end or before. */
  close(): void;
}

/** How long the thread is kept when there is no stream: to start one takes longer than a small file. */
const IDLE_MS = 10_000;

/** The thread could not be started, or has ended. */
const GONE: unique symbol = Symbol("the thread is gone");

/**
 * Begins a stream in the thread for all of them, which lives a little longer than the last of them. Where there can be no
 * such thread this one does it, and lets others run after each block.
 */
export function beginBzip2(): Bzip2Steps {
  return new ThreadSteps();
}

class ThreadSteps implements Bzip2Steps {
  #thread: Bzip2Thread | undefined = Bzip2Thread.forNextStream();
  readonly #stream: number | undefined = this.#thread?.open();
  #here: LocalSteps | undefined;
  #hasBegun = false;

  async step(input: Uint8Array | undefined, ended: boolean): Promise<Bzip2Step> {
    if (this.#here !== undefined) return await this.#here.step(input, ended);
    const reply =
      this.#thread === undefined || this.#stream === undefined
        ? GONE
        : await this.#thread.ask({ stream: this.#stream, input, ended });
    if (reply !== GONE) {
      this.#hasBegun = true;
      if (reply.type === "failed") throw CompressionError.of("bzip2", new Error(reply.message));
      return reply;
    }
    if (this.#hasBegun) {
      // What it had been given is lost.
      throw new StoreError("UNAVAILABLE", "Cannot read bzip2: the thread that does it has ended");
    }
    this.#here = new LocalSteps();
    return await this.#here.step(input, ended);
  }

  close(): void {
    if (this.#stream !== undefined) this.#thread?.close(this.#stream);
    this.#thread = undefined;
  }
}

/** Decompresses in this thread. */
class LocalSteps implements Pick<Bzip2Steps, "step"> {
  readonly #decoder = new Bzip2Decoder();

  async step(input: Uint8Array | undefined, ended: boolean): Promise<Bzip2Step> {
    await setImmediate();
    if (input !== undefined) this.#decoder.push(input);
    try {
      return this.#decoder.step(ended);
    } catch (error) {
      throw CompressionError.of("bzip2", error);
    }
  }
}

type Answer = (reply: Bzip2Reply | typeof GONE) => void;

/** The thread, as seen from here. */
class Bzip2Thread {
  static #current: Bzip2Thread | undefined;
  readonly #worker: Worker;
  /** Those that wait for an answer, by stream. */
  readonly #waiting = new Map<number, Answer>();
  readonly #open = new Set<number>();
  #idle: ReturnType<typeof setTimeout> | undefined;
  #nextStream = 0;
  #isGone = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (reply: Bzip2Reply) => this.#settle(reply.stream, reply));
    worker.on("error", () => this.#lose());
    worker.on("exit", () => this.#lose());
    // Only work that waits keeps the process alive.
    worker.unref();
  }

  /** `undefined` where the system does not let a thread begin. */
  static forNextStream(): Bzip2Thread | undefined {
    try {
      Bzip2Thread.#current ??= new Bzip2Thread(
        // Options of the program, such as --input-type, do not fit our own code.
        new Worker(workerUrl("bzip2-thread", import.meta.url), { execArgv: [] }),
      );
    } catch {
      // Slower then, but not wrong.
    }
    return Bzip2Thread.#current;
  }

  open(): number {
    clearTimeout(this.#idle);
    const stream = this.#nextStream++;
    this.#open.add(stream);
    return stream;
  }

  ask(request: Bzip2Request): Promise<Bzip2Reply | typeof GONE> {
    if (this.#isGone) return Promise.resolve(GONE);
    return new Promise((resolve) => {
      this.#waiting.set(request.stream, resolve);
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  close(stream: number): void {
    this.#open.delete(stream);
    if (this.#isGone) return;
    this.#worker.postMessage({ stream, input: "close" } satisfies Bzip2Farewell);
    if (this.#open.size === 0) this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
  }

  #end(): void {
    this.#lose();
    void this.#worker.terminate();
  }

  #settle(stream: number, reply: Bzip2Reply | typeof GONE): void {
    const answer = this.#waiting.get(stream);
    this.#waiting.delete(stream);
    if (this.#waiting.size === 0) this.#worker.unref();
    answer?.(reply);
  }

  #lose(): void {
    this.#isGone = true;
    if (Bzip2Thread.#current === this) Bzip2Thread.#current = undefined;
    for (const stream of [...this.#waiting.keys()]) this.#settle(stream, GONE);
  }
}
