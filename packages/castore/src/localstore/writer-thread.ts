// The thread that writes: waits for the lock, opens a WriteSession, then takes all requests that have
// arrived as one group.
import { parentPort, workerData } from "node:worker_threads";
import { loadZstd } from "./compression.js";
import { prepareDirectory, storeLayout } from "./layout.js";
import { FileSystemPackFiles } from "./pack-files.js";
import { toWireError } from "./worker-error.js";
import { WriteSession } from "./write-session.js";
import { WriterLock } from "./writer-lock.js";
import type { FromWriter, ToWriter, WriterThreadData } from "./writer-messages.js";

const data = workerData as WriterThreadData;
const port = parentPort;
if (port === null) throw new TypeError("writer-thread must run as a worker");

function post(message: FromWriter): void {
  port?.postMessage(message);
}

async function acquireLock(): Promise<WriterLock | undefined> {
  if (!data.wait) return WriterLock.tryAcquire(data.directory, data.purpose);
  return WriterLock.acquire(data.directory, data.purpose, (holder) =>
    post({ type: "waiting", holder }),
  );
}

async function openSession(): Promise<{ session: WriteSession; lock: WriterLock } | undefined> {
  const layout = storeLayout(data.directory);
  prepareDirectory(layout);
  const lock = await acquireLock();
  if (lock === undefined) return undefined;
  try {
    const session = new WriteSession({
      layout,
      files: new FileSystemPackFiles(layout.packs),
      zstd: await loadZstd(),
      ...(data.packLimit === undefined ? {} : { packLimit: data.packLimit }),
    });
    return { session, lock };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function serve(session: WriteSession, lock: WriterLock): void {
  let queue: Extract<ToWriter, { type: "write" }>[] = [];
  let closing = false;
  const flush = () => {
    const group = queue;
    queue = [];
    const ids = group.map((request) => request.id);
    try {
      const outcomes = group.length === 0 ? [] : session.write(group.map((request) => request.job));
      if (group.length > 0) post({ type: "written", ids, outcomes });
    } catch (error) {
      post({ type: "write-failed", ids, error: toWireError(error) });
    }
    if (!closing) return;
    session.close();
    lock.release();
    post({ type: "closed" });
    port?.close();
  };
  port?.on("message", (message: ToWriter) => {
    // The group is written once the messages that are here already have been taken in too.
    if (queue.length === 0 && !closing) setImmediate(flush);
    if (message.type === "close") closing = true;
    else queue.push(message);
  });
}

// Messages that come before the lock is ours wait in the port: nobody listens yet.
try {
  const opened = await openSession();
  if (opened === undefined) {
    post({ type: "busy" });
  } else {
    post({ type: "open", recovery: opened.session.recovery });
    serve(opened.session, opened.lock);
  }
} catch (error) {
  post({ type: "open-failed", error: toWireError(error) });
}
