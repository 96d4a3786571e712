import { Worker } from "node:worker_threads";
import { CastoreError } from "../errors.js";
import { workerUrl } from "../threads/worker-url.js";
import type { DecodeReply, DecoderThreadData } from "./decoder-messages.js";
import type { ShortChunks, WantedChunks } from "./short-chunks.js";
import { fromWireError } from "./worker-error.js";

interface Task {
  readonly wanted: WantedChunks;
  resolve(chunks: ShortChunks): void;
  reject(error: unknown): void;
}

interface Decoder {
  readonly worker: Worker;
  /** Handed over, in order; answered in the same order. */
  readonly tasks: Task[];
}

/** Tasks that a thread holds: one at work and one behind it, so that it never waits for the next. */
const TASKS_PER_THREAD = 2;

/** Threads that read; started one by one, as more than one has work waiting. */
export class DecoderPool {
  readonly #data: DecoderThreadData;
  readonly #maxThreads: number;
  readonly #decoders: Decoder[] = [];
  readonly #waiting: Task[] = [];
  #closed = false;

  constructor(data: DecoderThreadData, maxThreads: number) {
    this.#data = data;
    this.#maxThreads = maxThreads;
  }

  /** See `readShortChunks()`. */
  read(wanted: WantedChunks): Promise<ShortChunks> {
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
      if (decoder === undefined) return;
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
    if (this.#decoders.length >= this.#maxThreads) return undefined;
    const worker = new Worker(workerUrl("decoder-thread", import.meta.url), {
      workerData: this.#data,
      // As in writer.ts.
      execArgv: [],
    });
    const decoder: Decoder = { worker, tasks: [] };
    worker.on("message", (reply: DecodeReply) => this.#settle(decoder, reply));
    worker.on("error", (cause) => {
      const text = `Cannot read: a thread that decodes has failed: ${cause.message}`;
      this.#lose(decoder, new CastoreError("STORAGE", text, { cause }));
    });
    worker.on("exit", () => this.#lose(decoder, closedError()));
    this.#decoders.push(decoder);
    return decoder;
  }

  #settle(decoder: Decoder, reply: DecodeReply): void {
    const task = decoder.tasks.shift();
    // An idle thread does not keep the process alive.
    if (decoder.tasks.length === 0) decoder.worker.unref();
    if (reply.type === "failed") task?.reject(fromWireError(reply.error));
    else task?.resolve(reply);
    this.#dispatch();
  }

  #lose(decoder: Decoder, error: unknown): void {
    const at = this.#decoders.indexOf(decoder);
    if (at !== -1) this.#decoders.splice(at, 1);
    for (const task of decoder.tasks.splice(0)) task.reject(error);
    if (this.#decoders.length > 0 && !this.#closed) return;
    for (const task of this.#waiting.splice(0)) task.reject(error);
  }
}

function closedError(): CastoreError {
  return new CastoreError("STORAGE", "Cannot read: the store is closed");
}
