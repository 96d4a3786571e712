// A thread that prepares content for the writer: digests, asks the index what is there already,
// compresses the rest and puts it in records.
import { parentPort, workerData } from "node:worker_threads";
import { DIGEST_LENGTH } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { loadZstd, type ZstdCodec } from "./compression.js";
import type { EncodeReply, EncodeRequest, EncoderThreadData } from "./encoder-messages.js";
import { IndexReader } from "./index-database.js";
import { writeRecord } from "./record.js";
import { toWireError } from "./worker-error.js";

const { indexFile, compression } = workerData as EncoderThreadData;
const port = parentPort;
if (port === null) throw new TypeError("encoder-thread must run as a worker");

const index = new IndexReader(indexFile);
const zstd: ZstdCodec | undefined = compression ? await loadZstd() : undefined;

function encode(request: EncodeRequest): Extract<EncodeReply, { type: "encoded" }> {
  const { kind, areMissing, memory, offsets, lengths, output } = request;
  const digests = new Uint8Array(new ArrayBuffer(lengths.length * DIGEST_LENGTH));
  const known = { records: 0, rawBytes: 0 };
  let end = 0;
  lengths.forEach((length, i) => {
    const raw = new Uint8Array(memory, offsets[i], length);
    const key = digests.subarray(i * DIGEST_LENGTH, (i + 1) * DIGEST_LENGTH);
    blake3(raw).writeTo(key, 0);
    if (!areMissing && index.has(kind, key)) {
      known.records += 1;
      known.rawBytes += length;
    } else {
      end = writeRecord(output, end, { kind, key, raw }, zstd);
    }
  });
  return { type: "encoded", digests, recordBytes: end, known };
}

port.on("message", (request: EncodeRequest) => {
  try {
    const reply = encode(request);
    port.postMessage(reply);
  } catch (error) {
    port.postMessage({ type: "failed", error: toWireError(error) } satisfies EncodeReply);
  }
});
