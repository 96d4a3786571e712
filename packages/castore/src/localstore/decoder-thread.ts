// A thread that reads many short blobs for somebody: finds them in the index, reads, decompresses and
// verifies them, in the memory where they are wanted.
import { parentPort, workerData } from "node:worker_threads";
import { ChunkFiller, type WantedContent } from "./chunk-filler.js";
import { loadZstd } from "./compression.js";
import type { DecodeReply, DecoderThreadData } from "./decoder-messages.js";
import { IndexReader } from "./index-database.js";
import { RecordReader } from "./record-reader.js";
import { toWireError } from "./worker-error.js";

const { indexFile, packs } = workerData as DecoderThreadData;
const port = parentPort;
if (port === null) throw new TypeError("decoder-thread must run as a worker");

const index = new IndexReader(indexFile);
const zstd = await loadZstd();
const records = new RecordReader(packs, zstd, (pack) => index.identityOf(pack));
const filler = new ChunkFiller({ index, zstd, records });

port.on("message", (wanted: WantedContent) => {
  try {
    port.postMessage({ type: "filled", missed: filler.fill(wanted) } satisfies DecodeReply);
  } catch (error) {
    port.postMessage({ type: "failed", error: toWireError(error) } satisfies DecodeReply);
  }
});
