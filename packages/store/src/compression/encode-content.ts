import { canCompress, createEncoder } from "./encoder.js";
import { throughNode } from "./through-node.js";

/** What can be made of content for clients that ask for it. */
export type StreamEncoding = "zstd" | "br" | "gzip";

/** Levels that keep up with a fast network. */
const LEVELS: Readonly<Record<StreamEncoding, number>> = { zstd: 1, br: 3, gzip: 1 };

/** The encodings that this machine can make, the cheapest one first. */
export function availableEncodings(): readonly StreamEncoding[] {
  return (["zstd", "br", "gzip"] as const).filter(canCompress);
}

/** Compresses a stream. The source is closed on every path. */
export function encodeStream(
  encoding: StreamEncoding,
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  return throughNode(source, createEncoder(encoding, LEVELS[encoding]), encoding);
}
