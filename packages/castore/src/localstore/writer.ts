import { Worker } from "node:worker_threads";
import { CastoreError } from "../errors.js";
import { workerUrl } from "../threads/worker-url.js";
import type { WriteJob, WriteOutcome } from "./pack-writer.js";
import { fromWireError } from "./worker-error.js";
import type { RecoveryReport } from "./write-session.js";
import type { LockHolder } from "./writer-lock.js";
import type { FromWriter, ToWriter, WriterThreadData } from "./writer-messages.js";

export interface WriterOptions extends WriterThreadData {
  readonly onWait: (holder: LockHolder | undefined) => void;
}

interface Pending {
  resolve(outcome: WriteOutcome): void;
  reject(error: unknown): void;
}

/** The writer's thread, as seen from the main thread. */
export class Writer {
  readonly recovery: RecoveryReport;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #nextId = 0;
  #closed: Promise<void> | undefined;
  #failure: unknown;

  private constructor(worker: Worker, recovery: RecoveryReport) {
    this.recovery = recovery;
    this.#worker = worker;
    this.#ended = new Promise((resolve) => worker.once("exit", () => resolve()));
    worker.on("message", (message: FromWriter) => this.#receive(message));
    worker.on("error", (cause) => {
      const text = `Cannot write: the thread that writes has failed: ${cause.message}`;
      this.#fail(new CastoreError("STORAGE", text, { cause }));
    });
    worker.on("exit", () =>
      this.#fail(new CastoreError("STORAGE", "Cannot write: the store is closed")),
    );
    worker.unref();
  }

  /**
   * Starts the thread and waits until it may write.
   *
   * @param signal - ends the wait
   * @returns `undefined` when another process writes and `options.wait` is false
   */
  static async start(options: WriterOptions, signal?: AbortSignal): Promise<Writer | undefined> {
    const { onWait, ...workerData } = options;
    const worker = new Worker(workerUrl("writer-thread", import.meta.url), {
      workerData,
      // Not those of the program: what it says of its own code (--input-type) would not fit ours.
      execArgv: [],
    });
    const stop = () => void worker.terminate();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const recovery = await opened(worker, onWait);
      return recovery && new Writer(worker, recovery);
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /**
   * Writes a job; durable when the promise fulfils. Shared memory must stay as it is until the promise
   * settles; other memory goes to the writer and may be gone for the caller.
   */
  write(job: WriteJob): Promise<WriteOutcome> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    const written = new Promise<WriteOutcome>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    // Only a writer with work to do keeps the process alive.
    this.#worker.ref();
    this.#post({ type: "write", id, job }, transferable(job.records));
    return written;
  }

  /** Whether it can write, and holds the lock for that. */
  get isAlive(): boolean {
    return this.#failure === undefined && this.#closed === undefined;
  }

  /** Lets the thread finish what it has, and ends it. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#worker.ref();
    if (this.#failure === undefined) this.#post({ type: "close" }, []);
    await this.#ended;
  }

  #post(message: ToWriter, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromWriter): void {
    if (message.type === "written") {
      message.ids.forEach((id, i) => {
        this.#take(id)?.resolve(message.outcomes[i] as WriteOutcome);
      });
    } else if (message.type === "write-failed") {
      const error = fromWireError(message.error);
      for (const id of message.ids) this.#take(id)?.reject(error);
    }
    if (this.#pending.size === 0 && this.#closed === undefined) this.#worker.unref();
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}

/** Waits until the thread may write; `undefined` when somebody else does. */
function opened(
  worker: Worker,
  onWait: WriterOptions["onWait"],
): Promise<RecoveryReport | undefined> {
  return new Promise((resolve, reject) => {
    const listen = (message: FromWriter) => {
      if (message.type === "waiting") return onWait(message.holder);
      worker.off("message", listen);
      if (message.type === "open") resolve(message.recovery);
      else if (message.type === "busy") resolve(undefined);
      else if (message.type === "open-failed") reject(fromWireError(message.error));
    };
    worker.on("message", listen);
    worker.once("error", reject);
    worker.once("exit", () => reject(new CastoreError("STORAGE", "Cannot start the writer")));
  });
}

/** The buffer behind `bytes` where it may change hands; nothing (it is copied then) where not. */
function transferable(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  const isWhole = bytes.byteOffset === 0 && bytes.byteLength === buffer.byteLength;
  return isWhole && buffer instanceof ArrayBuffer && buffer.byteLength > 0 ? [buffer] : [];
}
