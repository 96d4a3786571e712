import type { BackendHash, Blake3Backend } from "./backend.js";

/** The part of `@napi-rs/blake-hash` that is used. */
export interface NativeBlake3Module {
  blake3(bytes: Uint8Array): Uint8Array;
  Blake3Hasher: new () => NativeHasher;
}

interface NativeHasher {
  reset(): void;
  update(bytes: Uint8Array): unknown;
  digestBuffer(): Uint8Array;
}

/** Most idle native states kept: finalizers run late, so fresh ones would pile up. */
const MAX_IDLE_HASHERS = 8;

/** The backend over compiled code. */
export function nativeBackend(native: NativeBlake3Module): Blake3Backend {
  const idle: NativeHasher[] = [];
  return {
    hash: (bytes) => native.blake3(bytes),
    create: () => new NativeHash(idle.pop() ?? new native.Blake3Hasher(), idle),
  };
}

class NativeHash implements BackendHash {
  #hasher: NativeHasher | undefined;
  readonly #idle: NativeHasher[];

  constructor(hasher: NativeHasher, idle: NativeHasher[]) {
    this.#hasher = hasher;
    this.#idle = idle;
  }

  update(bytes: Uint8Array): void {
    this.#state().update(bytes);
  }

  digest(): Uint8Array {
    const digest = this.#state().digestBuffer();
    this.dispose();
    return digest;
  }

  dispose(): void {
    const hasher = this.#hasher;
    this.#hasher = undefined;
    if (hasher === undefined || this.#idle.length >= MAX_IDLE_HASHERS) return;
    hasher.reset();
    this.#idle.push(hasher);
  }

  #state(): NativeHasher {
    if (this.#hasher === undefined) throw new TypeError("Cannot use a BLAKE3 hash after its end");
    return this.#hasher;
  }
}
