import type { BackendHash, Blake3Backend } from "./backend.js";

/**
 * Where the native backend becomes faster than WebAssembly for one call: below, the call itself
 * costs more than the work (measured crossing on x86-64: 2 to 3 KiB, see docs/performance.md).
 */
const NATIVE_FROM_BYTES = 2560;

/**
 * What the `#blake3` module of a platform exports. Bytes only, no class of this package: tests run
 * from sources while `#blake3` is found among the built files, and the two have classes of their own.
 */
export interface Blake3Functions {
  hashOnce(bytes: Uint8Array): Uint8Array;
  createHash(): BackendHash;
}

/** Picks, per input, the faster of the backends there are. */
export function hashFunctions(
  portable: Blake3Backend,
  native: Blake3Backend | undefined,
): Blake3Functions {
  const large = native ?? portable;
  return {
    hashOnce: (bytes) =>
      bytes.byteLength < NATIVE_FROM_BYTES ? portable.hash(bytes) : large.hash(bytes),
    createHash: () => large.create(),
  };
}
