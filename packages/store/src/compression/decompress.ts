import zlib from "node:zlib";
import { readBzip2 } from "./bzip2.js";
import type { Compression } from "./compression.js";
import { throughNode } from "./through-node.js";
import { readXz } from "./xz.js";
import { readZstd } from "./zstd.js";

/**
 * Decompresses a stream; `none` passes it on. Memory is bounded whatever comes, the number of bytes that come
 * out is not: limit it. The source is closed on every path.
 *
 * @throws {@link CompressionError}; what the source throws passes through as it is
 */
export function decompress(
  compression: Compression,
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case "none":
      return source;
    case "gzip":
      return throughNode(source, zlib.createGunzip(), "gzip");
    case "br":
      return throughNode(source, zlib.createBrotliDecompress(), "Brotli");
    case "zstd":
      return readZstd(source);
    case "xz":
      return readXz(source);
    case "bzip2":
      return readBzip2(source);
  }
}
