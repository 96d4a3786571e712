// The thread that reads a file tree, ahead of the thread that imports it by a bounded number of batches.
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { ImportError } from "./import-error.js";
import type { FromReader, ReaderThreadData, ToReader } from "./reader-messages.js";
import { BATCH_BYTES, readTree } from "./tree-reader.js";

const { path, nowNs, batches } = workerData as ReaderThreadData;
const port = parentPort;
if (port === null) throw new TypeError("reader-thread must run as a worker");

const free: Uint8Array[] = [];
let allocated = 0;
port.on("message", (message: ToReader) => free.push(message.memory));

function takeMemory(): Uint8Array {
  const memory = free.pop();
  if (memory !== undefined) return memory;
  allocated += 1;
  return new Uint8Array(new SharedArrayBuffer(BATCH_BYTES));
}

function post(message: FromReader, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

try {
  for (const batch of readTree(path, takeMemory, nowNs)) {
    post({ type: "batch", batch }, [batch.events.buffer]);
    while (free.length === 0 && allocated >= batches) await once(port, "message");
  }
  post({ type: "end" });
} catch (error) {
  const isOurs = error instanceof ImportError;
  const message = error instanceof Error ? error.message : String(error);
  post({
    type: "failed",
    message,
    reason: isOurs ? error.reason : undefined,
    path: isOurs ? error.path : "",
    cause: isOurs ? error.cause : error,
  });
}
port.close();
