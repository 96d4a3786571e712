import { Worker } from "node:worker_threads";
import { CHUNK_BLOCK_BYTES } from "../chunking/chunker.js";
import { CastoreError } from "../errors.js";
import { workerUrl } from "../threads/worker-url.js";
import { BlockPool } from "./block-pool.js";
import type { EncodeReply, EncodeRequest, EncoderThreadData } from "./encoder-messages.js";
import { maxRecordLength } from "./record.js";
import { fromWireError } from "./worker-error.js";

/** What became of the payloads of a request. */
export interface Encoded {
  /** 32 bytes for each payload. */
  readonly digests: Uint8Array;
  /** Whole records of those payloads that the index did not have, in shared memory. */
  readonly records: Uint8Array;
  /** Those that it had. */
  readonly known: { readonly records: number; readonly rawBytes: number };
  /** To be called when the records are not needed any more. */
  release(): void;
}

interface Task {
  readonly request: Omit<EncodeRequest, "output">;
  output: Uint8Array | undefined;
  resolve(encoded: Encoded): void;
  reject(error: unknown): void;
}

interface Encoder {
  readonly worker: Worker;
  /** Handed over, in order; answered in the same order. */
  readonly tasks: Task[];
}

/** Tasks that a thread holds: one at work and one behind it, so that it never waits for the next. */
const TASKS_PER_THREAD = 2;

/** Memory for the records of one request; the few requests that need more get memory of their own. */
const OUTPUT_BYTES = CHUNK_BLOCK_BYTES + 256 * 1024;

/** Requests of so few bytes get memory of just their size: many small blobs may be under way at a time. */
const SMALL_OUTPUT_BYTES = 64 * 1024;

/** Threads that encode; started one by one, as more than one has work waiting. */
export class EncoderPool {
  readonly #data: EncoderThreadData;
  readonly #maxThreads: number;
  readonly #encoders: Encoder[] = [];
  readonly #waiting: Task[] = [];
  readonly #outputs = new BlockPool(OUTPUT_BYTES);
  #closed = false;

  constructor(data: EncoderThreadData, maxThreads: number) {
    this.#data = data;
    this.#maxThreads = maxThreads;
  }

  /** `request.memory` must stay as it is until the promise settles. */
  encode(request: Omit<EncodeRequest, "output">): Promise<Encoded> {
    if (this.#closed) {
      return Promise.reject(new CastoreError("STORAGE", "Cannot write: the store is closed"));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, output: undefined, resolve, reject });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#encoders.map((encoder) => encoder.worker.terminate()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const encoder = this.#free(1) ?? this.#start() ?? this.#free(TASKS_PER_THREAD);
      if (encoder === undefined) return;
      const task = this.#waiting.shift() as Task;
      const output = this.#output(task.request.lengths);
      task.output = output;
      encoder.tasks.push(task);
      encoder.worker.ref();
      encoder.worker.postMessage({ ...task.request, output } satisfies EncodeRequest);
    }
  }

  #output(lengths: readonly number[]): Uint8Array {
    const bytes = lengths.reduce((sum, length) => sum + maxRecordLength(length), 0);
    return bytes <= SMALL_OUTPUT_BYTES
      ? new Uint8Array(new SharedArrayBuffer(bytes))
      : this.#outputs.take(bytes);
  }

  /** A thread with fewer than `limit` tasks. */
  #free(limit: number): Encoder | undefined {
    return this.#encoders.find((encoder) => encoder.tasks.length < limit);
  }

  #start(): Encoder | undefined {
    if (this.#encoders.length >= this.#maxThreads) return undefined;
    const worker = new Worker(workerUrl("encoder-thread", import.meta.url), {
      workerData: this.#data,
      // As in writer.ts.
      execArgv: [],
    });
    const encoder: Encoder = { worker, tasks: [] };
    worker.on("message", (reply: EncodeReply) => this.#settle(encoder, reply));
    worker.on("error", (cause) => {
      const text = `Cannot write: a thread that encodes has failed: ${cause.message}`;
      this.#lose(encoder, new CastoreError("STORAGE", text, { cause }));
    });
    worker.on("exit", () =>
      this.#lose(encoder, new CastoreError("STORAGE", "Cannot write: the store is closed")),
    );
    this.#encoders.push(encoder);
    return encoder;
  }

  #settle(encoder: Encoder, reply: EncodeReply): void {
    const task = encoder.tasks.shift();
    // An idle thread does not keep the process alive.
    if (encoder.tasks.length === 0) encoder.worker.unref();
    if (task?.output !== undefined) this.#resolve(task, task.output, reply);
    this.#dispatch();
  }

  #resolve(task: Task, output: Uint8Array, reply: EncodeReply): void {
    const release = () => this.#outputs.give(output);
    if (reply.type === "failed") {
      release();
      task.reject(fromWireError(reply.error));
    } else {
      const { digests, known } = reply;
      task.resolve({ digests, records: output.subarray(0, reply.recordBytes), known, release });
    }
  }

  #lose(encoder: Encoder, error: unknown): void {
    const at = this.#encoders.indexOf(encoder);
    if (at !== -1) this.#encoders.splice(at, 1);
    for (const task of encoder.tasks.splice(0)) task.reject(error);
    if (this.#encoders.length > 0 && !this.#closed) return;
    for (const task of this.#waiting.splice(0)) task.reject(error);
  }
}
