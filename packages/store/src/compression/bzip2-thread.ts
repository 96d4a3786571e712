// The thread that decompresses bzip2, for all streams of the process at once, a step of each at a time.
import { parentPort } from "node:worker_threads";
import { Bzip2Decoder } from "./bzip2-decoder.js";
import type { Bzip2Farewell, Bzip2Reply, Bzip2Request } from "./bzip2-messages.js";

const port = parentPort;
if (port === null) throw new TypeError("bzip2-thread must run as a worker");

const decoders = new Map<number, Bzip2Decoder>();

port.on("message", (request: Bzip2Request | Bzip2Farewell) => {
  const { stream, input } = request;
  if (input === "close") {
    decoders.delete(stream);
    return;
  }
  const decoder = decoders.get(stream) ?? new Bzip2Decoder();
  decoders.set(stream, decoder);
  try {
    if (input !== undefined) decoder.push(input);
    const reply: Bzip2Reply = { stream, ...decoder.step(request.ended) };
    port.postMessage(reply, reply.type === "bytes" ? [reply.bytes.buffer] : []);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ stream, type: "failed", message } satisfies Bzip2Reply);
  }
});
