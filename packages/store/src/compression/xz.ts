import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import { CompressionError } from "./compression-error.js";
import { slices, throughNode } from "./through-node.js";

/** The part of `lzma-native` that is used. */
interface LzmaNative {
  createDecompressor(options: { readonly memlimit: number }): Duplex;
  createCompressor(options: { readonly preset: number }): Duplex;
}

/** Memory of a decoder, in bytes. The dictionary of the highest level of xz has 64 MiB. */
const MEMORY_LIMIT = 128 * 1024 * 1024;

/** What the decoder makes of a piece is all in memory: at most some 7000 times as much. */
const SLICE_BYTES = 4096;

const require = createRequire(import.meta.url);

/** @throws {@link CompressionError} with code "UNSUPPORTED" where the addon is not installed */
export function readXz(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const decoder = load().createDecompressor({ memlimit: MEMORY_LIMIT });
  return throughNode(slices(source, SLICE_BYTES), decoder, "xz");
}

/** Whether the addon is installed. */
export function canUseXz(): boolean {
  try {
    load();
    return true;
  } catch (error) {
    if (error instanceof CompressionError) return false;
    throw error;
  }
}

/**
 * A transform that compresses.
 *
 * @param preset - 0 to 9; 6 takes some 100 MB of memory
 * @throws {@link CompressionError} with code "UNSUPPORTED" where the addon is not installed
 */
export function xzEncoder(preset: number): Duplex {
  return load().createCompressor({ preset });
}

function load(): LzmaNative {
  try {
    return require("lzma-native") as LzmaNative;
  } catch (cause) {
    const why = "xz can be neither read nor written here: the package lzma-native is not installed";
    throw new CompressionError("UNSUPPORTED", why, { cause });
  }
}
