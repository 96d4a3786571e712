import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import type { Compression } from "./compression.js";
import { CompressionError } from "./compression-error.js";
import { throughNode } from "./through-node.js";
import { canUseXz, xzEncoder } from "./xz.js";
import { zstdEncoder } from "./zstd-encoder.js";

/** What files can be compressed to here; bzip2 is only read. */
export type FileCompression = Exclude<Compression, "none" | "bzip2">;

/** The names, those that cost least first. */
export const FILE_COMPRESSIONS: readonly FileCompression[] = ["zstd", "gzip", "br", "xz"];

/** Levels for what is made once and read often: those that the programs of these names have by default. */
const ZSTD_LEVEL = 3;
const GZIP_LEVEL = 6;
const XZ_PRESET = 6;
/** That of the program, 11, takes a second for two megabytes. */
const BROTLI_QUALITY = 6;

/** Whether this machine can compress so: some of it is in optional addons. */
export function canCompress(compression: FileCompression): boolean {
  if (compression === "zstd") return zstdEncoder() !== undefined;
  return compression === "xz" ? canUseXz() : true;
}

/**
 * Compresses a file. Which bytes come out depends on the version of the library: whoever states a hash of
 * them has to keep them. The source is closed on every path.
 *
 * @throws {@link CompressionError} with code "UNSUPPORTED", see {@link canCompress}
 */
export function compressFile(
  compression: FileCompression,
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  return throughNode(source, encoder(compression), compression);
}

function encoder(compression: FileCompression): Duplex {
  switch (compression) {
    case "zstd": {
      const make = zstdEncoder();
      if (make !== undefined) return make(ZSTD_LEVEL);
      const why = "zstd cannot be written here: the package zstd-napi is not installed";
      throw new CompressionError("UNSUPPORTED", why);
    }
    case "xz":
      return xzEncoder(XZ_PRESET);
    case "gzip":
      return zlib.createGzip({ level: GZIP_LEVEL });
    case "br":
      return zlib.createBrotliCompress({
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
      });
  }
}
