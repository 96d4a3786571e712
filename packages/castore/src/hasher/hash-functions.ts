import { B3Digest } from "../digest.js";
import type { BackendHash, Blake3Backend } from "./backend.js";
import type { Blake3Hash } from "./blake3.js";

/**
 * Where the native backend becomes faster than WebAssembly for one call: below, the call itself
 * costs more than the work (measured crossing on x86-64: 2 to 3 KiB, see docs/performance.md).
 */
const NATIVE_FROM_BYTES = 2560;

/** What the `#blake3` module of a platform exports. */
export interface Blake3Functions {
  hashOnce(bytes: Uint8Array): Uint8Array;
  createHash(): Blake3Hash;
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
    createHash: () => new StreamingHash(large.create()),
  };
}

class StreamingHash implements Blake3Hash {
  readonly #state: BackendHash;

  constructor(state: BackendHash) {
    this.#state = state;
  }

  update(bytes: Uint8Array): this {
    this.#state.update(bytes);
    return this;
  }

  digest(): B3Digest {
    return B3Digest.fromBytes(this.#state.digest());
  }

  dispose(): void {
    this.#state.dispose();
  }
}
