import { createEncoder, type FileCompression } from "./encoder.js";
import { throughNode } from "./through-node.js";

/** The names, those that cost least first. */
export const FILE_COMPRESSIONS: readonly FileCompression[] = ["zstd", "gzip", "br", "xz"];

/**
 * Levels for what is made once and read often: those that the programs of these names have by default, but
 * for Brotli, whose 11 takes a second for two megabytes.
 */
const LEVELS: Readonly<Record<FileCompression, number>> = { zstd: 3, gzip: 6, br: 6, xz: 6 };

/**
 * Compresses a file. Which bytes come out depends on the version of the library: whoever states a hash of
 * them has to keep them. The source is closed on every path.
 *
 * @throws `CompressionError` with code "UNSUPPORTED", see `canCompress()`
 */
export function compressFile(
  compression: FileCompression,
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  return throughNode(source, createEncoder(compression, LEVELS[compression]), compression);
}
