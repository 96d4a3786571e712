// A thread that prepares content for the writer: digests, asks the index what is there already,
// compresses the rest and puts it in records.
import { parentPort, workerData } from "node:worker_threads";
import { concatBytes } from "../bytes.js";
import { DIGEST_LENGTH } from "../digest.js";
import { blake3 } from "../hasher/blake3.js";
import { loadZstd, type ZstdCodec } from "./compression.js";
import type { EncodeReply, EncodeRequest, EncoderThreadData } from "./encoder-messages.js";
import { IndexReader } from "./index-database.js";
import { encodeRecord } from "./record.js";
import { toWireError } from "./worker-error.js";

const { indexFile, compression } = workerData as EncoderThreadData;
const port = parentPort;
if (port === null) throw new TypeError("encoder-thread must run as a worker");

const index = new IndexReader(indexFile);
const zstd: ZstdCodec | undefined = compression ? await loadZstd() : undefined;

function encode({
  kind,
  memory,
  offsets,
  lengths,
}: EncodeRequest): Extract<EncodeReply, { type: "encoded" }> {
  const digests = new Uint8Array(lengths.length * DIGEST_LENGTH);
  const records: Uint8Array[] = [];
  const known = { records: 0, rawBytes: 0 };
  lengths.forEach((length, i) => {
    const raw = new Uint8Array(memory, offsets[i], length);
    const key = digests.subarray(i * DIGEST_LENGTH, (i + 1) * DIGEST_LENGTH);
    blake3(raw).writeTo(key, 0);
    if (index.has(kind, key)) {
      known.records += 1;
      known.rawBytes += length;
    } else {
      records.push(encodeRecord(kind, key, raw, zstd));
    }
  });
  return { type: "encoded", digests, records: concatBytes(records), known };
}

port.on("message", (request: EncodeRequest) => {
  try {
    const reply = index.inSnapshot(() => encode(request));
    port.postMessage(reply, [
      reply.digests.buffer as ArrayBuffer,
      reply.records.buffer as ArrayBuffer,
    ]);
  } catch (error) {
    port.postMessage({ type: "failed", error: toWireError(error) } satisfies EncodeReply);
  }
});
