import { Worker } from "node:worker_threads";
import { CHUNK_BLOCK_BYTES } from "../chunking/chunker.js";
import { CastoreError } from "../errors.js";
import { workerUrl } from "../threads/worker-url.js";
import { BlockPool } from "./block-pool.js";
import type {
  AbandonRequest,
  EncodeReply,
  EncoderThreadData,
  PayloadsRequest,
  PieceRequest,
} from "./encoder-messages.js";
import { maxRecordLength } from "./record.js";
import { fromWireError } from "./worker-error.js";

/** What became of a request. */
export interface Encoded
  extends Omit<Extract<EncodeReply, { type: "encoded" }>, "type" | "recordBytes"> {
  /** Whole records of what the index did not have, in shared memory. */
  readonly records: Uint8Array;
  /** To be called when the records are not needed any more. */
  release(): void;
}

/** One blob that is cut in a thread. */
export interface BlobCutting {
  /** The next bytes, `MAX_PIECE_BYTES` at most, in shared memory that stays as it is until the promise settles. */
  add(bytes: Uint8Array, isLast: boolean): Promise<Encoded>;
  /** Forgets the blob; harmless after its last piece. */
  abandon(): void;
}

interface Task {
  readonly request: Omit<PayloadsRequest, "output"> | Omit<PieceRequest, "output">;
  /** The only thread that can do it. */
  readonly encoder: Encoder | undefined;
  /** Room that its records may take. */
  readonly outputBytes: number;
  output: Uint8Array | undefined;
  resolve(encoded: Encoded): void;
  reject(error: unknown): void;
}

interface Encoder {
  readonly worker: Worker;
  /** Handed over, in order; answered in the same order. */
  readonly tasks: Task[];
  /** Blobs that are cut there. */
  blobs: number;
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
  #nextBlob = 0;
  #closed = false;

  constructor(data: EncoderThreadData, maxThreads: number) {
    this.#data = data;
    this.#maxThreads = maxThreads;
  }

  /** `request.memory` must stay as it is until the promise settles. */
  encode(request: Omit<PayloadsRequest, "output" | "type">): Promise<Encoded> {
    const outputBytes = request.lengths.reduce((sum, length) => sum + maxRecordLength(length), 0);
    return this.#add({
      request: { type: "payloads", ...request },
      encoder: undefined,
      outputBytes,
    });
  }

  /** Begins a blob that comes in pieces. One thread takes all of them. */
  cut(): BlobCutting {
    const blob = this.#nextBlob++;
    const encoder = this.#closed ? undefined : this.#leastBusy();
    if (encoder === undefined) {
      return { add: () => Promise.reject(closedError()), abandon: () => {} };
    }
    encoder.blobs++;
    let isOpen = true;
    const end = (): void => {
      if (isOpen) encoder.blobs--;
      isOpen = false;
    };
    return {
      add: (bytes, isLast) => {
        if (isLast) end();
        const request = { type: "piece", blob, bytes, isLast } as const;
        return this.#add({ request, encoder, outputBytes: OUTPUT_BYTES });
      },
      abandon: () => {
        if (isOpen) encoder.worker.postMessage({ type: "abandon", blob } satisfies AbandonRequest);
        end();
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#encoders.map((encoder) => encoder.worker.terminate()));
  }

  #add(task: Pick<Task, "request" | "encoder" | "outputBytes">): Promise<Encoded> {
    const isLost = task.encoder !== undefined && !this.#encoders.includes(task.encoder);
    if (this.#closed || isLost) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...task, output: undefined, resolve, reject });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const task = this.#waiting[i] as Task;
      const encoder = this.#takerOf(task);
      if (encoder !== undefined) {
        this.#waiting.splice(i, 1);
        this.#hand(task, encoder);
      } else if (task.encoder === undefined) {
        // No thread has room, whatever comes behind.
        return;
      } else i++;
    }
  }

  #takerOf({ encoder }: Task): Encoder | undefined {
    if (encoder === undefined)
      return this.#free(1) ?? this.#start() ?? this.#free(TASKS_PER_THREAD);
    return encoder.tasks.length < TASKS_PER_THREAD ? encoder : undefined;
  }

  #hand(task: Task, encoder: Encoder): void {
    const output = this.#output(task.outputBytes);
    task.output = output;
    encoder.tasks.push(task);
    encoder.worker.ref();
    encoder.worker.postMessage({ ...task.request, output });
  }

  #output(bytes: number): Uint8Array {
    return bytes <= SMALL_OUTPUT_BYTES
      ? new Uint8Array(new SharedArrayBuffer(bytes))
      : this.#outputs.take(bytes);
  }

  /** A thread with fewer than `limit` tasks. */
  #free(limit: number): Encoder | undefined {
    return this.#encoders.find((encoder) => encoder.tasks.length < limit);
  }

  /** A thread for a new blob. */
  #leastBusy(): Encoder | undefined {
    const idle = this.#encoders.find(({ blobs, tasks }) => blobs === 0 && tasks.length === 0);
    if (idle !== undefined) return idle;
    const fewest = Math.min(...this.#encoders.map(({ blobs }) => blobs));
    return this.#start() ?? this.#encoders.find(({ blobs }) => blobs === fewest);
  }

  #start(): Encoder | undefined {
    if (this.#encoders.length >= this.#maxThreads) return undefined;
    const worker = new Worker(workerUrl("encoder-thread", import.meta.url), {
      workerData: this.#data,
      // As in writer.ts.
      execArgv: [],
    });
    const encoder: Encoder = { worker, tasks: [], blobs: 0 };
    worker.on("message", (reply: EncodeReply) => this.#settle(encoder, reply));
    worker.on("error", (cause) => {
      const text = `Cannot write: a thread that encodes has failed: ${cause.message}`;
      this.#lose(encoder, new CastoreError("STORAGE", text, { cause }));
    });
    worker.on("exit", () => this.#lose(encoder, closedError()));
    // Until there is something to do for it.
    worker.unref();
    this.#encoders.push(encoder);
    return encoder;
  }

  #settle(encoder: Encoder, reply: EncodeReply): void {
    const task = encoder.tasks.shift();
    // An idle thread does not keep the process alive; one that is to end does, until it has.
    if (encoder.tasks.length === 0 && !this.#closed) encoder.worker.unref();
    if (task?.output !== undefined) this.#resolve(task, task.output, reply);
    this.#dispatch();
  }

  #resolve(task: Task, output: Uint8Array, reply: EncodeReply): void {
    const release = () => this.#outputs.give(output);
    if (reply.type === "failed") {
      release();
      task.reject(fromWireError(reply.error));
    } else {
      const { digests, lengths, whole, known, recordBytes } = reply;
      const records = output.subarray(0, recordBytes);
      task.resolve({ digests, lengths, whole, known, records, release });
    }
  }

  #lose(encoder: Encoder, error: unknown): void {
    const at = this.#encoders.indexOf(encoder);
    if (at !== -1) this.#encoders.splice(at, 1);
    const isLast = this.#encoders.length === 0 || this.#closed;
    const lost = this.#waiting.filter((task) => isLast || task.encoder === encoder);
    for (const task of lost) this.#waiting.splice(this.#waiting.indexOf(task), 1);
    for (const task of [...encoder.tasks.splice(0), ...lost]) task.reject(error);
  }
}

function closedError(): CastoreError {
  return new CastoreError("STORAGE", "Cannot write: the store is closed");
}
