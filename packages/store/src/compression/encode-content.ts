import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import { throughNode } from "./through-node.js";
import { zstdEncoder } from "./zstd-encoder.js";

/** What can be made of content for clients that ask for it. */
export type StreamEncoding = "zstd" | "br" | "gzip";

/** Levels that keep up with a fast network. */
const ZSTD_LEVEL = 1;
const BROTLI_QUALITY = 3;
const GZIP_LEVEL = 1;

/** The encodings that this machine can make, the cheapest one first. */
export function availableEncodings(): readonly StreamEncoding[] {
  return zstdEncoder() === undefined ? ["br", "gzip"] : ["zstd", "br", "gzip"];
}

/** Compresses a stream. The source is closed on every path. */
export function encodeStream(
  encoding: StreamEncoding,
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  return throughNode(source, compressor(encoding), encoding);
}

function compressor(encoding: StreamEncoding): Duplex {
  const { BROTLI_PARAM_QUALITY } = zlib.constants;
  switch (encoding) {
    case "zstd": {
      const make = zstdEncoder();
      if (make === undefined) throw new TypeError("There is no Zstandard on this machine");
      return make(ZSTD_LEVEL);
    }
    case "br":
      return zlib.createBrotliCompress({ params: { [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } });
    case "gzip":
      return zlib.createGzip({ level: GZIP_LEVEL });
  }
}
