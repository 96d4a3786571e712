import { Worker } from "node:worker_threads";
import { CastoreError } from "../errors.js";
import { workerUrl } from "../threads/worker-url.js";
import type { WantedContent } from "./chunk-filler.js";
import type { DecodeReply, DecoderThreadData } from "./decoder-messages.js";
import { fromWireError } from "./worker-error.js";

interface Task {
  readonly wanted: WantedContent;
  resolve(missed: readonly number[]): void;
  reject(error: unknown): void;
}

interface Decoder {
  readonly worker: Worker;
  /** Handed over, in order; answered in the same order. */
  readonly tasks: Task[];
}

/** Tasks that a thread holds: one at work and one behind it, so that it never waits for the next. */
const TASKS_PER_THREAD = 2;

/** Does what a thread does, in this one. */
type FillHere = (wanted: WantedContent) => readonly number[];

export interface DecoderPoolOptions {
  /** Most threads. */
  readonly maxThreads: number;
  /** Takes the place of threads where they cannot be started, or end before their work is done. */
  readonly fillHere: FillHere;
}

/**
 * Threads that read; started one by one, as more than one has work waiting. A system that has no more
 * threads to give makes reading slower and not impossible.
 */
export class DecoderPool {
  readonly #data: DecoderThreadData;
  readonly #options: DecoderPoolOptions;
  /** A thread has failed: whatever the cause, the next one would most likely do the same. */
  #isBroken = false;
  readonly #decoders: Decoder[] = [];
  readonly #waiting: Task[] = [];
  /** For this thread. */
  readonly #here: Task[] = [];
  #closed = false;

  constructor(data: DecoderThreadData, options: DecoderPoolOptions) {
    this.#data = data;
    this.#options = options;
  }

  /** See `ChunkFiller.fill()`. */
  fill(wanted: WantedContent): Promise<readonly number[]> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ wanted, resolve, reject });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#decoders.map(({ worker }) => worker.terminate()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const decoder = this.#free(1) ?? this.#start() ?? this.#free(TASKS_PER_THREAD);
      if (decoder === undefined) {
        if (this.#decoders.length === 0) this.#fillHere(this.#waiting.splice(0));
        return;
      }
      const task = this.#waiting.shift() as Task;
      decoder.tasks.push(task);
      decoder.worker.ref();
      decoder.worker.postMessage(task.wanted);
    }
  }

  /** A thread with fewer than `limit` tasks. */
  #free(limit: number): Decoder | undefined {
    return this.#decoders.find((decoder) => decoder.tasks.length < limit);
  }

  #start(): Decoder | undefined {
    if (this.#isBroken || this.#decoders.length >= this.#options.maxThreads) return undefined;
    const worker = this.#startWorker();
    if (worker === undefined) return undefined;
    const decoder: Decoder = { worker, tasks: [] };
    worker.on("message", (reply: DecodeReply) => this.#settle(decoder, reply));
    worker.on("error", () => this.#lose(decoder));
    worker.on("exit", () => this.#lose(decoder));
    this.#decoders.push(decoder);
    return decoder;
  }

  /** `undefined` when the system does not let a thread begin. */
  #startWorker(): Worker | undefined {
    try {
      return new Worker(workerUrl("decoder-thread", import.meta.url), {
        workerData: this.#data,
        // As in writer.ts.
        execArgv: [],
      });
    } catch {
      // What is wrong with what is wanted shows when it is read here.
      this.#isBroken = true;
      return undefined;
    }
  }

  #settle(decoder: Decoder, reply: DecodeReply): void {
    const task = decoder.tasks.shift();
    // An idle thread does not keep the process alive; one that is to end does, until it has.
    if (decoder.tasks.length === 0 && !this.#closed) decoder.worker.unref();
    if (reply.type === "failed") task?.reject(fromWireError(reply.error));
    else task?.resolve(reply.missed);
    this.#dispatch();
  }

  /** A thread has ended: it could not begin, failed, or was told to. */
  #lose(decoder: Decoder): void {
    const at = this.#decoders.indexOf(decoder);
    if (at !== -1) this.#decoders.splice(at, 1);
    const lost = decoder.tasks.splice(0);
    if (this.#closed) {
      for (const task of [...lost, ...this.#waiting.splice(0)]) task.reject(closedError());
      return;
    }
    this.#isBroken = true;
    this.#fillHere(lost);
    this.#dispatch();
  }

  /** One after the other, each in a turn of its own, so that others get theirs. */
  #fillHere(tasks: readonly Task[]): void {
    const isIdle = this.#here.length === 0;
    this.#here.push(...tasks);
    if (isIdle && tasks.length > 0) setImmediate(() => this.#fillNextHere());
  }

  #fillNextHere(): void {
    const [task] = this.#here;
    try {
      task?.resolve(this.#options.fillHere(task.wanted));
    } catch (error) {
      task?.reject(error);
    }
    this.#here.shift();
    if (this.#here.length > 0) setImmediate(() => this.#fillNextHere());
  }
}

function closedError(): CastoreError {
  return new CastoreError("STORAGE", "Cannot read: the store is closed");
}
