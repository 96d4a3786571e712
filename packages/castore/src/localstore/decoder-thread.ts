// A thread that reads many short blobs for somebody: finds them in the index, reads, decompresses and
// verifies them.
import { parentPort, workerData } from "node:worker_threads";
import { loadZstd } from "./compression.js";
import type { DecodeReply, DecoderThreadData } from "./decoder-messages.js";
import { IndexReader } from "./index-database.js";
import { RecordReader } from "./record-reader.js";
import { readShortChunks, type WantedChunks } from "./short-chunks.js";
import { toWireError } from "./worker-error.js";

const { indexFile, packs } = workerData as DecoderThreadData;
const port = parentPort;
if (port === null) throw new TypeError("decoder-thread must run as a worker");

const index = new IndexReader(indexFile);
const records = new RecordReader(packs, await loadZstd(), (pack) => index.identityOf(pack));

port.on("message", (wanted: WantedChunks) => {
  try {
    const chunks = readShortChunks({ index, records }, wanted);
    const reply: DecodeReply = { type: "decoded", ...chunks };
    port.postMessage(reply, [chunks.content.buffer, chunks.lengths.buffer]);
  } catch (error) {
    port.postMessage({ type: "failed", error: toWireError(error) } satisfies DecodeReply);
  }
});
