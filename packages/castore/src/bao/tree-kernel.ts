// Values of the inner nodes of the BLAKE3 tree, which no library gives out: they are chaining values, and a
// digest is one only at the root. Computed by WebAssembly that compresses four inputs at a time
// (scripts/tree-kernel.mjs), in every runtime alike. The native library has nothing to offer here.
import { TREE_KERNEL_WASM_BASE64 } from "../gen/tree-kernel-wasm.js";
import { copyInto } from "../shared-copy.js";

/** Bytes of a value of the tree: a chaining value or, at the root, the digest. */
export const VALUE_BYTES = 32;

/** Bytes of a parent: the values of its two children. */
export const PARENT_BYTES: number = 2 * VALUE_BYTES;

/** Bytes of a leaf of the BLAKE3 tree. */
export const CHUNK_BYTES = 1024;

const BLOCK_BYTES = 64;

/** Most bytes whose value is computed at once. */
export const MAX_GROUP_BYTES: number = 256 * CHUNK_BYTES;

/** Domain flags of BLAKE3. */
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

/** Inputs of one call of the kernel. */
const LANES = 4;

/** Addresses. Values take turns between two places, with room for the lanes that nobody asked for. */
const VALUES_ROOM: number = (MAX_GROUP_BYTES / CHUNK_BYTES + LANES) * VALUE_BYTES;
const VALUES_ADDRESSES: readonly [number, number] = [0, VALUES_ROOM];
const INPUT_ADDRESS: number = 2 * VALUES_ROOM;
const MEMORY_BYTES: number = INPUT_ADDRESS + MAX_GROUP_BYTES + LANES * CHUNK_BYTES;
const WASM_PAGE_BYTES = 65_536;
const TWO_TO_32 = 2 ** 32;

interface KernelExports {
  readonly memory: WebAssembly.Memory;
  compress4(
    input: number,
    stride: number,
    blocks: number,
    lastLength: number,
    counterLow: number,
    counterHigh: number,
    counterStep: number,
    flags: number,
    firstFlags: number,
    lastFlags: number,
    out: number,
  ): void;
}

interface Kernel {
  readonly bytes: Uint8Array;
  readonly compress4: KernelExports["compress4"];
}

let shared: Kernel | undefined;

function kernel(): Kernel {
  if (shared !== undefined) return shared;
  const code = Uint8Array.from(atob(TREE_KERNEL_WASM_BASE64), (character) =>
    character.charCodeAt(0),
  );
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
  const { memory, compress4 } = exports as unknown as KernelExports;
  memory.grow(Math.ceil(MEMORY_BYTES / WASM_PAGE_BYTES) - 1);
  shared = { bytes: new Uint8Array(memory.buffer), compress4 };
  return shared;
}

/**
 * The value of the subtree over `bytes`.
 *
 * @param bytes - a whole subtree: 1 KiB times a power of two or, at the end of the input, less
 * @param start - where they are in the input; a multiple of 1 KiB
 * @param isRoot - whether they are the whole input; the value is its digest then
 * @returns memory of its own
 * @throws RangeError for more than {@link MAX_GROUP_BYTES}
 */
export function groupValue(bytes: Uint8Array, start: number, isRoot: boolean): Uint8Array {
  const { byteLength } = bytes;
  if (byteLength > MAX_GROUP_BYTES) {
    throw new RangeError(
      `Cannot hash a group of ${byteLength} bytes: more than ${MAX_GROUP_BYTES}`,
    );
  }
  const wasm = kernel();
  copyInto(wasm.bytes, INPUT_ADDRESS, bytes);
  const whole = Math.floor(byteLength / CHUNK_BYTES);
  const rest = byteLength - whole * CHUNK_BYTES;
  const chunks = Math.max(1, whole + (rest > 0 ? 1 : 0));
  const last = CHUNK_END | (isRoot && chunks === 1 ? ROOT : 0);
  for (let i = 0; i < whole; i += LANES) chunkValues(wasm, start, i, CHUNK_BYTES, last);
  if (whole < chunks) chunkValues(wasm, start, whole, rest, last);
  return reduce(wasm, chunks, 1, isRoot);
}

/**
 * The values of whole groups in a row, one behind the other; faster than each alone.
 *
 * @param bytes - at most {@link MAX_GROUP_BYTES}, none of them the whole input
 * @param start - where they are in the input; a multiple of `groupBytes`
 * @param groupBytes - 1 KiB times a power of two
 * @returns memory of its own
 */
export function groupValues(bytes: Uint8Array, start: number, groupBytes: number): Uint8Array {
  const { byteLength } = bytes;
  const groups = byteLength / groupBytes;
  if (byteLength > MAX_GROUP_BYTES || !Number.isInteger(groups)) {
    throw new RangeError(`Cannot hash groups of ${groupBytes} bytes in ${byteLength} bytes`);
  }
  const wasm = kernel();
  copyInto(wasm.bytes, INPUT_ADDRESS, bytes);
  const chunks = byteLength / CHUNK_BYTES;
  for (let i = 0; i < chunks; i += LANES) chunkValues(wasm, start, i, CHUNK_BYTES, CHUNK_END);
  return reduce(wasm, chunks, groups, false);
}

/** Values of four chunks of so many bytes from number `first` on; that of a short one, which is the last. */
function chunkValues(
  { bytes, compress4 }: Kernel,
  start: number,
  first: number,
  length: number,
  lastFlags: number,
): void {
  const input = INPUT_ADDRESS + first * CHUNK_BYTES;
  const blocks = Math.max(1, Math.ceil(length / BLOCK_BYTES));
  bytes.fill(0, input + length, input + blocks * BLOCK_BYTES);
  const counter = start / CHUNK_BYTES + first;
  compress4(
    input,
    CHUNK_BYTES,
    blocks,
    length - (blocks - 1) * BLOCK_BYTES,
    (counter % TWO_TO_32) | 0,
    Math.floor(counter / TWO_TO_32),
    1,
    0,
    CHUNK_START,
    lastFlags,
    VALUES_ADDRESSES[0] + first * VALUE_BYTES,
  );
}

/** Joins values in pairs, level by level, until there are `wanted`; an odd one is carried up. */
function reduce(
  { bytes, compress4 }: Kernel,
  count: number,
  wanted: number,
  isRoot: boolean,
): Uint8Array {
  let [from, to] = VALUES_ADDRESSES;
  for (let left = count; left > wanted; ) {
    const pairs = left >> 1;
    const flags = PARENT | (isRoot && left === 2 ? ROOT : 0);
    for (let i = 0; i < pairs; i += LANES) {
      const input = from + i * PARENT_BYTES;
      compress4(input, PARENT_BYTES, 1, BLOCK_BYTES, 0, 0, 0, flags, 0, 0, to + i * VALUE_BYTES);
    }
    if (left % 2 === 1) {
      const odd = from + (left - 1) * VALUE_BYTES;
      bytes.copyWithin(to + pairs * VALUE_BYTES, odd, odd + VALUE_BYTES);
    }
    left -= pairs;
    [from, to] = [to, from];
  }
  return bytes.slice(from, from + wanted * VALUE_BYTES);
}

/**
 * The value of a parent.
 *
 * @param parent - the values of its children, 64 bytes
 * @returns memory of its own
 */
export function parentValue(parent: Uint8Array, isRoot: boolean): Uint8Array {
  const wasm = kernel();
  wasm.bytes.set(parent.subarray(0, PARENT_BYTES), VALUES_ADDRESSES[0]);
  return reduce(wasm, 2, 1, isRoot);
}
