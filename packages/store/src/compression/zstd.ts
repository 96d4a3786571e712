import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import zlib from "node:zlib";
import { Decompress } from "fzstd";
import { CompressionError } from "./compression-error.js";
import { slices, throughNode } from "./through-node.js";

/** Node's own functions, which the type definitions of the oldest supported version lack. */
interface NodeZstd {
  createZstdDecompress(): Duplex;
}

/** The part of `zstd-napi/binding` that is used. */
interface ZstdNapi {
  readonly DCtx: new () => {
    /** @returns 0 at the end of a frame, then bytes written and bytes read */
    decompressStream(
      to: Uint8Array,
      from: Uint8Array,
    ): readonly [hint: number, produced: number, consumed: number];
  };
}

/** Bytes that are made at a time. */
const OUTPUT_BYTES = 128 * 1024;

/** What fzstd makes of a piece is all in memory: a block of 128 KiB can be written in four bytes. */
const SLICE_BYTES = 1024;

const WHAT = "Zstandard";
const require = createRequire(import.meta.url);

/**
 * Decompresses with the fastest Zstandard there is: Node's own (from 22.15 on), else zstd-napi where it
 * could be compiled, else JavaScript. Takes several frames.
 */
export function readZstd(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if ("createZstdDecompress" in zlib) {
    const node = zlib as unknown as NodeZstd;
    return throughNode(source, node.createZstdDecompress(), WHAT);
  }
  const addon = loadAddon();
  return addon === undefined ? portableZstd(source) : addonZstd(source, addon);
}

/** `undefined` where the addon is not installed or not compiled. */
function loadAddon(): ZstdNapi | undefined {
  try {
    return require("zstd-napi/binding") as ZstdNapi;
  } catch {
    return undefined;
  }
}

async function* addonZstd(
  source: AsyncIterable<Uint8Array>,
  addon: ZstdNapi,
): AsyncGenerator<Uint8Array, void, undefined> {
  const context = new addon.DCtx();
  // Not even a frame is no file either.
  let inFrame = true;
  for await (const chunk of source) {
    let rest = chunk;
    let isFull = false;
    while (rest.byteLength > 0 || isFull) {
      const output = new Uint8Array(OUTPUT_BYTES);
      const [hint, produced, consumed] = attempt(() => context.decompressStream(output, rest));
      inFrame = hint !== 0;
      isFull = inFrame && produced === OUTPUT_BYTES;
      rest = rest.subarray(consumed);
      if (produced > 0) yield output.subarray(0, produced);
    }
  }
  if (inFrame) throw truncated();
}

/**
 * Decompresses in JavaScript, a tenth as fast.
 *
 * @internal
 */
export async function* portableZstd(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let pieces: Uint8Array[] = [];
  let isEmpty = true;
  const decoder = new Decompress((bytes) => {
    if (bytes.byteLength > 0) pieces.push(bytes);
  });
  for await (const slice of slices(source, SLICE_BYTES)) {
    isEmpty = false;
    attempt(() => decoder.push(slice));
    yield* pieces;
    pieces = [];
  }
  if (isEmpty) throw truncated();
  attempt(() => decoder.push(new Uint8Array(0), true));
  yield* pieces;
}

function attempt<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw CompressionError.of(WHAT, error);
  }
}

function truncated(): CompressionError {
  return new CompressionError("INVALID_ARGUMENT", `Cannot read ${WHAT}: it was cut off`);
}
