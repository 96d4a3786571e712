import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import type { Compression } from "./compression.js";
import { CompressionError } from "./compression-error.js";
import { canUseXz, xzEncoder } from "./xz.js";
import { zstdEncoder } from "./zstd-encoder.js";

/** What files can be compressed to here; bzip2 is only read. */
export type FileCompression = Exclude<Compression, "none" | "bzip2">;

/** Whether this machine can compress so: some of it is in optional addons. */
export function canCompress(compression: FileCompression): boolean {
  if (compression === "zstd") return zstdEncoder() !== undefined;
  return compression === "xz" ? canUseXz() : true;
}

/**
 * Makes a transform that compresses.
 *
 * @param level - as the programs of these names count them
 * @throws {@link CompressionError} with code "UNSUPPORTED", see {@link canCompress}
 */
export function createEncoder(compression: FileCompression, level: number): Duplex {
  switch (compression) {
    case "zstd": {
      const make = zstdEncoder();
      if (make !== undefined) return make(level);
      const why = "zstd cannot be written here: the package zstd-napi is not installed";
      throw new CompressionError("UNSUPPORTED", why);
    }
    case "xz":
      return xzEncoder(level);
    case "gzip":
      return zlib.createGzip({ level });
    case "br":
      return zlib.createBrotliCompress({
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level },
      });
  }
}
