import { createHash, hashOnce } from "#blake3";
import { equalBytes } from "../bytes.js";
import { B3Digest } from "../digest.js";
import type { BackendHash } from "./backend.js";

/** A BLAKE3-256 computation over bytes that arrive in pieces. Single use. */
export interface Blake3Hash {
  /** Takes more bytes; they are not kept. */
  update(bytes: Uint8Array): this;
  /** Ends the computation. */
  digest(): B3Digest;
  /** Frees it without a result; harmless after {@link digest}. */
  dispose(): void;
}

/** Starts a streaming BLAKE3-256 computation. Call `digest()` or `dispose()` in the end. */
export function createBlake3(): Blake3Hash {
  return new StreamingHash(createHash());
}

/** BLAKE3-256 of `bytes`. */
export function blake3(bytes: Uint8Array): B3Digest {
  return B3Digest.fromBytes(hashOnce(bytes));
}

/** Whether `digest` is the BLAKE3-256 of `bytes`. */
export function isBlake3Of(bytes: Uint8Array, digest: Uint8Array): boolean {
  return equalBytes(hashOnce(bytes), digest);
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
