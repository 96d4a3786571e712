/** Where a streaming hash object comes from: what a BLAKE3 library must offer to be used here. */
export interface Blake3Backend {
  /** The 32 digest bytes of `bytes`. */
  hash(bytes: Uint8Array): Uint8Array;
  create(): BackendHash;
}

/** The state of one computation. */
export interface BackendHash {
  update(bytes: Uint8Array): void;
  /** The 32 digest bytes; frees the state. */
  digest(): Uint8Array;
  /** Frees the state. */
  dispose(): void;
}

/** The part of blake3-wasm that is used, alike in its builds for Node and for browsers. */
export interface Blake3WasmModule {
  hash(bytes: Uint8Array): Uint8Array;
  createHash(): {
    update(bytes: Uint8Array): unknown;
    digest(): Uint8Array;
    dispose(): void;
  };
}

/**
 * Most bytes that go into WebAssembly memory at once. That memory grows to fit and never shrinks, so
 * a large blob is fed in pieces.
 */
const WASM_PIECE_BYTES = 64 * 1024;

/** The portable backend. */
export function wasmBackend(wasm: Blake3WasmModule): Blake3Backend {
  const create = (): BackendHash => {
    const state = wasm.createHash();
    return {
      update(bytes) {
        for (let offset = 0; offset < bytes.byteLength; offset += WASM_PIECE_BYTES) {
          state.update(bytes.subarray(offset, offset + WASM_PIECE_BYTES));
        }
      },
      digest: () => state.digest(),
      dispose: () => state.dispose(),
    };
  };
  return {
    hash(bytes) {
      if (bytes.byteLength <= WASM_PIECE_BYTES) return wasm.hash(bytes);
      const state = create();
      state.update(bytes);
      return state.digest();
    },
    create,
  };
}
