import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import zlib from "node:zlib";

/** Node's own functions, which the type definitions of the oldest supported version lack. */
interface NodeZstd {
  createZstdCompress(options: { readonly params: Readonly<Record<number, number>> }): Duplex;
}

/** The part of `zstd-napi` that is used. */
interface ZstdNapi {
  readonly CompressStream: new (parameters: { readonly compressionLevel: number }) => Duplex;
}

/** Makes a transform that compresses. */
export type ZstdEncoder = (level: number) => Duplex;

const ZSTD_C_COMPRESSION_LEVEL = 100;
const require = createRequire(import.meta.url);
let known: ZstdEncoder | undefined | "unknown" = "unknown";

/** Node's own Zstandard (from 22.15 on), else zstd-napi; `undefined` where there is neither. */
export function zstdEncoder(): ZstdEncoder | undefined {
  if (known === "unknown") known = nodeZstd() ?? addonZstd();
  return known;
}

function nodeZstd(): ZstdEncoder | undefined {
  if (!("createZstdCompress" in zlib)) return undefined;
  const node = zlib as unknown as NodeZstd;
  return (level) => node.createZstdCompress({ params: { [ZSTD_C_COMPRESSION_LEVEL]: level } });
}

/** `undefined` where the addon is not installed or not compiled. */
function addonZstd(): ZstdEncoder | undefined {
  try {
    const { CompressStream } = require("zstd-napi") as ZstdNapi;
    return (level) => new CompressStream({ compressionLevel: level });
  } catch {
    return undefined;
  }
}
