// FastCDC (Xia et al. 2020), with the cut points of the Rust crate "fastcdc" v2020: normalization
// level 1, seed 0, two bytes a round. Equal parameters give equal chunks, so stores of tvix and snix
// share chunks with ours.
import { CUT_POINT_WASM_BASE64 } from "../gen/cut-point-wasm.js";
import { copyInto } from "../shared-copy.js";
import { GEAR_HEX } from "./gear-table.js";

/** Average chunk size of tvix and snix: 256 KiB. */
export const DEFAULT_AVERAGE_CHUNK_SIZE = 262_144;

/** Where chunks may end, in bytes. */
export interface ChunkSizes {
  readonly min: number;
  readonly average: number;
  readonly max: number;
}

/**
 * The sizes that tvix derives from an average: half of it and twice it.
 *
 * @throws RangeError unless 256 <= average <= 4 MiB
 */
export function chunkSizes(average: number = DEFAULT_AVERAGE_CHUNK_SIZE): ChunkSizes {
  if (!(Number.isInteger(average) && average >= MIN_AVERAGE && average <= MAX_AVERAGE)) {
    throw new RangeError(
      `Invalid average chunk size ${average}: expected ${MIN_AVERAGE} to ${MAX_AVERAGE}`,
    );
  }
  return { min: Math.floor(average / 2), average, max: average * 2 };
}

const MIN_AVERAGE = 256;
const MAX_AVERAGE = 4 * 1024 * 1024;

/**
 * Masks by number of effective bits, 5 to 25: constants of the algorithm. A chunk ends where the
 * hash has zeros in all places of the mask.
 */
const MASKS: readonly bigint[] = [
  0n,
  0n,
  0n,
  0n,
  0n,
  0x1804110n,
  0x1803110n,
  0x18035100n,
  0x1800035300n,
  0x19000353000n,
  0x590003530000n,
  0xd90003530000n,
  0xd90103530000n,
  0xd90303530000n,
  0xd90313530000n,
  0xd90f03530000n,
  0xd90303537000n,
  0xd90703537000n,
  0xd90707537000n,
  0xd91707537000n,
  0xd91747537000n,
  0xd91767537000n,
  0xd93767537000n,
  0xd93777537000n,
  0xd93777577000n,
  0xdb3777577000n,
];

/** Address of the bytes to cut; the two gear tables lie below. */
const DATA_ADDRESS = 4096;
const WASM_PAGE_BYTES = 65_536;

interface CutPointExports {
  readonly memory: WebAssembly.Memory;
  cut(
    start: number,
    length: number,
    min: number,
    average: number,
    max: number,
    maskSmall: bigint,
    maskLarge: bigint,
  ): number;
}

let compiled: WebAssembly.Module | undefined;

function newInstance(): CutPointExports {
  if (compiled === undefined) {
    const bytes = Uint8Array.from(atob(CUT_POINT_WASM_BASE64), (character) =>
      character.charCodeAt(0),
    );
    compiled = new WebAssembly.Module(bytes);
  }
  const instance = new WebAssembly.Instance(compiled).exports as unknown as CutPointExports;
  const tables = new DataView(instance.memory.buffer);
  for (let i = 0; i < 256; i++) {
    const gear = BigInt(`0x${GEAR_HEX.slice(16 * i, 16 * i + 16)}`);
    tables.setBigUint64(8 * i, gear, true);
    tables.setBigUint64(2048 + 8 * i, BigInt.asUintN(64, gear << 1n), true);
  }
  return instance;
}

/** Makes room for so many bytes; whoever looked at the memory before sees it no more. */
function reserve({ memory }: CutPointExports, byteLength: number): void {
  const missing = DATA_ADDRESS + byteLength - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
}

let shared: CutPointExports | undefined;

/**
 * Lengths of the chunks at the start of `bytes`, as far as they are certain: a chunk is not when
 * more bytes could make it longer, so up to `sizes.max` bytes may remain.
 *
 * @param last - whether no more bytes follow; then the lengths add up to all of `bytes`
 */
export function cutChunks(bytes: Uint8Array, sizes: ChunkSizes, last: boolean): number[] {
  shared ??= newInstance();
  reserve(shared, bytes.byteLength);
  copyInto(new Uint8Array(shared.memory.buffer), DATA_ADDRESS, bytes);
  const span = { start: DATA_ADDRESS, end: DATA_ADDRESS + bytes.byteLength };
  return cutThere(shared, span, { sizes, last });
}

/** {@link cutChunks} for bytes that are put where they are cut, which saves a copy. */
export class ChunkWindow {
  /** Memory for what is cut next. */
  readonly bytes: Uint8Array;
  readonly #sizes: ChunkSizes;
  readonly #instance: CutPointExports;

  /** @param byteLength - of {@link bytes} */
  constructor(sizes: ChunkSizes, byteLength: number) {
    this.#sizes = sizes;
    this.#instance = newInstance();
    reserve(this.#instance, byteLength);
    this.bytes = new Uint8Array(this.#instance.memory.buffer, DATA_ADDRESS, byteLength);
  }

  /** {@link cutChunks} of the bytes from `start` up to `end`. */
  cut(start: number, end: number, last: boolean): number[] {
    if (start < 0 || end > this.bytes.byteLength) {
      throw new RangeError(`Cannot cut bytes ${start} to ${end} of ${this.bytes.byteLength}`);
    }
    const span = { start: DATA_ADDRESS + start, end: DATA_ADDRESS + end };
    return cutThere(this.#instance, span, { sizes: this.#sizes, last });
  }
}

/** @param span - addresses */
function cutThere(
  { cut }: CutPointExports,
  { start, end }: { readonly start: number; readonly end: number },
  { sizes, last }: { readonly sizes: ChunkSizes; readonly last: boolean },
): number[] {
  const { min, average, max } = sizes;
  const bits = Math.round(Math.log2(average));
  const maskSmall = MASKS[bits + 1] as bigint;
  const maskLarge = MASKS[bits - 1] as bigint;
  const lengths: number[] = [];
  for (let at = start; at < end; ) {
    const left = end - at;
    if (!last && left < max) break;
    const length = left <= min ? left : cut(at, left, min, average, max, maskSmall, maskLarge);
    lengths.push(length);
    at += length;
  }
  return lengths;
}
