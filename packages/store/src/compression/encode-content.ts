import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import { throughNode } from "./through-node.js";

/** What can be made of content for clients that ask for it. */
export type StreamEncoding = "zstd" | "br" | "gzip";

/** Node's own functions, which the type definitions of the oldest supported version lack. */
interface NodeZstd {
  createZstdCompress(options: { readonly params: Readonly<Record<number, number>> }): Duplex;
}

/** The part of `zstd-napi` that is used. */
interface ZstdNapi {
  readonly CompressStream: new (parameters: { readonly compressionLevel: number }) => Duplex;
}

/** Levels that keep up with a fast network. */
const ZSTD_LEVEL = 1;
const BROTLI_QUALITY = 3;
const GZIP_LEVEL = 1;

const ZSTD_C_COMPRESSION_LEVEL = 100;
const require = createRequire(import.meta.url);
let zstd: (() => Duplex) | undefined | "unknown" = "unknown";

/** The encodings that this machine can make, the cheapest one first. */
export function availableEncodings(): readonly StreamEncoding[] {
  return zstdCompressor() === undefined ? ["br", "gzip"] : ["zstd", "br", "gzip"];
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
      const make = zstdCompressor();
      if (make === undefined) throw new TypeError("There is no Zstandard on this machine");
      return make();
    }
    case "br":
      return zlib.createBrotliCompress({ params: { [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } });
    case "gzip":
      return zlib.createGzip({ level: GZIP_LEVEL });
  }
}

function zstdCompressor(): (() => Duplex) | undefined {
  if (zstd === "unknown") zstd = nodeZstd() ?? addonZstd();
  return zstd;
}

function nodeZstd(): (() => Duplex) | undefined {
  if (!("createZstdCompress" in zlib)) return undefined;
  const node = zlib as unknown as NodeZstd;
  return () => node.createZstdCompress({ params: { [ZSTD_C_COMPRESSION_LEVEL]: ZSTD_LEVEL } });
}

/** `undefined` where the addon is not installed or not compiled. */
function addonZstd(): (() => Duplex) | undefined {
  try {
    const { CompressStream } = require("zstd-napi") as ZstdNapi;
    return () => new CompressStream({ compressionLevel: ZSTD_LEVEL });
  } catch {
    return undefined;
  }
}
