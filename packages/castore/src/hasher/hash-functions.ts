import type { BackendHash, Blake3Backend } from "./backend.js";

/**
 * Where the native backend becomes faster than WebAssembly for one call: below, the call itself
 * costs more than the work (measured crossing on x86-64: 2 to 3 KiB, see docs/performance.md).
 */
const NATIVE_FROM_BYTES = 2560;

/**
 * How many inputs below that size go to the native backend all the same: loading the other one takes
 * as long as it gains with so many.
 */
const NATIVE_SMALL_INPUTS = 2000;

/**
 * What the `#blake3` module of a platform exports. Bytes only, no class of this package: tests run
 * from sources while `#blake3` is found among the built files, and the two have classes of their own.
 */
export interface Blake3Functions {
  hashOnce(bytes: Uint8Array): Uint8Array;
  createHash(): BackendHash;
}

/**
 * Picks, per input, the faster of the backends there are.
 *
 * @param loadPortable - called once at most
 */
export function hashFunctions(
  loadPortable: () => Blake3Backend,
  native: Blake3Backend | undefined,
): Blake3Functions {
  const large = native ?? loadPortable();
  let small = large;
  let left = native === undefined ? 0 : NATIVE_SMALL_INPUTS;
  return {
    hashOnce(bytes) {
      if (bytes.byteLength >= NATIVE_FROM_BYTES) return large.hash(bytes);
      if (left > 0 && --left === 0) small = loadPortable();
      return small.hash(bytes);
    },
    createHash: () => large.create(),
  };
}
