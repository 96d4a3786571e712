// A thread that prepares content for the writer: cuts what is long, digests, asks the index what is there
// already, compresses the rest and puts it in records.
import { parentPort, workerData } from "node:worker_threads";
import { BlobCutter } from "./blob-cutter.js";
import { loadZstd } from "./compression.js";
import type {
  EncodeReply,
  EncodeRequest,
  EncoderThreadData,
  PayloadsRequest,
  PieceRequest,
} from "./encoder-messages.js";
import { IndexReader } from "./index-database.js";
import { RecordKind } from "./pack-format.js";
import { RecordEncoder } from "./record-encoder.js";
import { toWireError } from "./worker-error.js";

const { indexFile, compression } = workerData as EncoderThreadData;
const port = parentPort;
if (port === null) throw new TypeError("encoder-thread must run as a worker");

const index = new IndexReader(indexFile);
const zstd = compression ? await loadZstd() : undefined;
const encoder = new RecordEncoder({ index, zstd });
const cutter = new BlobCutter();

function encodePayloads(request: PayloadsRequest): EncodeReply {
  const { memory, offsets, lengths, ...options } = request;
  const payloads = lengths.map((length, i) => new Uint8Array(memory, offsets[i], length));
  const encoded = encoder.encode({ ...options, payloads });
  return { type: "encoded", ...encoded, lengths: [], whole: undefined };
}

function encodePiece({ blob, bytes, isLast, output }: PieceRequest): EncodeReply {
  const { chunks, whole } = cutter.add(blob, bytes, isLast);
  const options = { kind: RecordKind.CHUNK, areMissing: false, output };
  const encoded = encoder.encode({ ...options, payloads: chunks });
  return {
    type: "encoded",
    ...encoded,
    lengths: chunks.map(({ byteLength }) => byteLength),
    whole,
  };
}

port.on("message", (request: EncodeRequest) => {
  if (request.type === "abandon") return cutter.abandon(request.blob);
  try {
    port.postMessage(request.type === "piece" ? encodePiece(request) : encodePayloads(request));
  } catch (error) {
    port.postMessage({ type: "failed", error: toWireError(error) } satisfies EncodeReply);
  }
});
