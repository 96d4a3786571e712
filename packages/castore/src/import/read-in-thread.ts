import { Worker } from "node:worker_threads";
import { CastoreError } from "../errors.js";
import { onAbort } from "../on-abort.js";
import { workerUrl } from "../threads/worker-url.js";
import { ImportError } from "./import-error.js";
import type { RawPath } from "./raw-path.js";
import type { FromReader, ReaderThreadData, ToReader } from "./reader-messages.js";
import type { TreeBatch } from "./tree-reader.js";

/** Batches (about 4 MiB each) that the reader is ahead at most. */
const BATCHES_AHEAD = 6;

/** A batch, and how to give its memory back: to be called once, when nothing looks at it any more. */
export interface LentBatch {
  readonly batch: TreeBatch;
  release(): void;
}

/** {@link readTree} in a thread of its own. */
export async function* readInThread(
  path: RawPath,
  signal: AbortSignal | undefined,
): AsyncGenerator<LentBatch, void, undefined> {
  signal?.throwIfAborted();
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const workerData: ReaderThreadData = { path, nowNs, batches: BATCHES_AHEAD };
  const worker = new Worker(workerUrl("reader-thread", import.meta.url), {
    workerData,
    // Not those of the program: what it says of its own code (--input-type) would not fit ours.
    execArgv: [],
  });
  const inbox = new Inbox();
  const stopListening = signal && onAbort(signal, () => inbox.fail(signal.reason));
  worker.on("message", (message: FromReader) => inbox.add(message));
  worker.on("error", (error) => inbox.fail(error));
  // After all that it sent: a thread that has said how it ended is not listened to any more.
  worker.on("exit", (status) => inbox.add(endedEarly(status)));
  try {
    for (;;) {
      const message = await inbox.take();
      signal?.throwIfAborted();
      if (message.type === "end") return;
      if (message.type === "failed") throw readerError(message);
      const { batch } = message;
      yield {
        batch,
        release: () => {
          const back: ToReader = { type: "memory", memory: batch.memory };
          worker.postMessage(back);
        },
      };
    }
  } finally {
    stopListening?.();
    await worker.terminate();
  }
}

function endedEarly(status: number): FromReader {
  const message = `the thread that reads ended with status ${status}`;
  return { type: "failed", reason: undefined, path: "", message, cause: undefined };
}

function readerError(failure: Extract<FromReader, { type: "failed" }>): Error {
  const { reason, path, message, cause } = failure;
  if (reason === undefined)
    return new CastoreError("STORAGE", `Cannot import: ${message}`, { cause });
  return ImportError.restore(reason, path, message, { cause });
}

/** Messages that wait to be taken: the reader's memory bounds how many there can be. */
class Inbox {
  readonly #messages: FromReader[] = [];
  #wake: (() => void) | undefined;
  #failure: { error: unknown } | undefined;

  add(message: FromReader): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  async take(): Promise<FromReader> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
