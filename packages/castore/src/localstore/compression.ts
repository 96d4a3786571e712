import { createRequire } from "node:module";
import zlib from "node:zlib";
import { plainBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";

/** Zstandard frames, one at a time. */
export interface ZstdCodec {
  /** One frame that states its content size, in memory that the next call uses again. */
  compress(bytes: Uint8Array): Uint8Array;
  /** The content of one frame, which must be `rawLength` bytes: no more is ever allocated. */
  decompress(bytes: Uint8Array, rawLength: number): Uint8Array;
  /** {@link decompress} into `target`, which the content must fill. */
  decompressInto(bytes: Uint8Array, target: Uint8Array): void;
}

/** What a library offers; checks and errors are the same for all. */
interface ZstdLibrary {
  compress(bytes: Uint8Array): Uint8Array;
  decompress(bytes: Uint8Array, rawLength: number): Uint8Array;
  /** Where the library can write to memory that is there; returns how much it wrote. */
  decompressInto?(bytes: Uint8Array, target: Uint8Array): number;
}

/**
 * Level of compression: 1 costs about a third less time than the usual 3 on large files and gives
 * away two percent of size (docs/performance.md).
 */
const LEVEL = 1;

/** Below this many bytes a frame's own overhead eats the gain. */
const MIN_COMPRESSED_BYTES = 96;

const require = createRequire(import.meta.url);
let codec: ZstdCodec | undefined;

/**
 * Loads the fastest Zstandard there is: Node's own (from 22.15 on), else zstd-napi where it could be
 * compiled, else WebAssembly.
 */
export async function loadZstd(): Promise<ZstdCodec> {
  codec ??= nodeZstd() ?? addonZstd() ?? (await wasmZstd());
  return codec;
}

/**
 * From this length on a few samples decide whether compressing is tried at all: what is compressed or
 * encrypted already is the same all over.
 */
const MIN_SAMPLED_BYTES = 128 * 1024;
const SAMPLE_BYTES = 4 * 1024;
/** Evenly spread, the first at the start and the last at the end. */
const SAMPLES = 4;

/**
 * Compresses where that pays: at least a sixteenth must be saved.
 *
 * @returns `undefined` when the bytes are better stored as they are
 */
export function compressIfSmaller(zstd: ZstdCodec, bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.byteLength < MIN_COMPRESSED_BYTES) return undefined;
  if (bytes.byteLength >= MIN_SAMPLED_BYTES && !doesAnySampleShrink(zstd, bytes)) return undefined;
  const compressed = zstd.compress(bytes);
  return compressed.byteLength <= bytes.byteLength - (bytes.byteLength >>> 4)
    ? compressed
    : undefined;
}

function doesAnySampleShrink(zstd: ZstdCodec, bytes: Uint8Array): boolean {
  const step = Math.floor((bytes.byteLength - SAMPLE_BYTES) / (SAMPLES - 1));
  for (let i = 0; i < SAMPLES; i++) {
    const sample = bytes.subarray(i * step, i * step + SAMPLE_BYTES);
    // A frame of what cannot be compressed is some bytes longer.
    if (zstd.compress(sample).byteLength < SAMPLE_BYTES) return true;
  }
  return false;
}

/** Node's own functions, which the type definitions of the oldest supported version lack. */
interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array, options: { params: Record<number, number> }): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

/**
 * Zstandard of Node itself; `undefined` before 22.15.
 *
 * @internal
 */
export function nodeZstd(): ZstdCodec | undefined {
  if (!("zstdCompressSync" in zlib)) return undefined;
  const functions = zlib as unknown as NodeZstd;
  const ZSTD_C_COMPRESSION_LEVEL = 100;
  const options = { params: { [ZSTD_C_COMPRESSION_LEVEL]: LEVEL } };
  return checked({
    compress: (bytes) => plainBytes(functions.zstdCompressSync(bytes, options)),
    decompress: (bytes, rawLength) =>
      plainBytes(functions.zstdDecompressSync(bytes, { maxOutputLength: Math.max(rawLength, 1) })),
  });
}

/** The part of `zstd-napi/binding` that is used: contexts that are reused, output into our memory. */
interface ZstdNapi {
  CCtx: new () => {
    setParameter(parameter: number, value: number): void;
    compress2(to: Uint8Array, from: Uint8Array): number;
  };
  DCtx: new () => { decompress(to: Uint8Array, from: Uint8Array): number };
  CParameter: { compressionLevel: number };
  compressBound(length: number): number;
}

/**
 * Zstandard of the optional addon; `undefined` where it is not installed.
 *
 * @internal
 */
export function addonZstd(): ZstdCodec | undefined {
  let binding: ZstdNapi;
  try {
    binding = require("zstd-napi/binding") as ZstdNapi;
  } catch {
    // Not installed or not compiled: WebAssembly does the same, only slower.
    return undefined;
  }
  const compressor = new binding.CCtx();
  compressor.setParameter(binding.CParameter.compressionLevel, LEVEL);
  const decompressor = new binding.DCtx();
  let scratch = new Uint8Array(0);
  return checked({
    compress(bytes) {
      const bound = binding.compressBound(bytes.byteLength);
      if (scratch.byteLength < bound) scratch = new Uint8Array(bound);
      const length = compressor.compress2(scratch, bytes);
      return scratch.subarray(0, length);
    },
    decompress(bytes, rawLength) {
      const raw = new Uint8Array(rawLength);
      const length = decompressor.decompress(raw, bytes);
      return raw.subarray(0, length);
    },
    decompressInto: (bytes, target) => decompressor.decompress(target, bytes),
  });
}

/**
 * Zstandard in WebAssembly.
 *
 * @internal
 */
export async function wasmZstd(): Promise<ZstdCodec> {
  const wasm = await import("@bokuweb/zstd-wasm");
  await wasm.init();
  return checked({
    compress: (bytes) => wasm.compress(bytes, LEVEL),
    decompress: (bytes) => wasm.decompress(bytes),
  });
}

/**
 * Turns whatever a library throws into our error, and holds the length that is expected against what
 * the frame states, before memory is taken, and against what comes out.
 */
function checked(library: ZstdLibrary): ZstdCodec {
  const guarded = <T>(bytes: Uint8Array, rawLength: number, run: () => T): T => {
    try {
      if (frameContentSize(bytes) !== rawLength) throw new Error("the frame states another size");
      return run();
    } catch (cause) {
      throw new CastoreError(
        "CORRUPT",
        "Cannot decompress: not a sound zstd frame of the stated size",
        { cause },
      );
    }
  };
  const decompress = (bytes: Uint8Array, rawLength: number) => {
    const raw = guarded(bytes, rawLength, () => library.decompress(bytes, rawLength));
    checkLength(raw.byteLength, rawLength);
    return raw;
  };
  return {
    compress: library.compress,
    decompress,
    decompressInto(bytes, target) {
      const { decompressInto } = library;
      if (decompressInto === undefined) {
        target.set(decompress(bytes, target.byteLength));
        return;
      }
      const rawLength = target.byteLength;
      checkLength(
        guarded(bytes, rawLength, () => decompressInto(bytes, target)),
        rawLength,
      );
    },
  };
}

function checkLength(length: number, expected: number): void {
  if (length === expected) return;
  throw new CastoreError("CORRUPT", `Cannot decompress: ${length} bytes instead of ${expected}`);
}

/**
 * The content size in the header of a zstd frame (RFC 8878, section 3.1.1.1); `undefined` when it is
 * not stated. The WebAssembly library allocates what a frame states, so this is looked at first.
 */
export function frameContentSize(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.byteLength < 6 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryLength = [0, 1, 2, 4][descriptor & 3] as number;
  const offset = 5 + (singleSegment ? 0 : 1) + dictionaryLength;
  const sizeLength = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] as number;
  if (offset + sizeLength > frame.byteLength) return undefined;
  switch (sizeLength) {
    case 1:
      return view.getUint8(offset);
    case 2:
      return view.getUint16(offset, true) + 256;
    case 4:
      return view.getUint32(offset, true);
    case 8:
      return Number(view.getBigUint64(offset, true));
    default:
      return undefined;
  }
}
