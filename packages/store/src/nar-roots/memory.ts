import { type CallOptions, copyBytes, toLatin1 } from "@tvix/castore";
import { assertSha256 } from "./assert-sha256.js";
import type { NarRoot, NarRoots } from "./nar-roots.js";

/** Keeps everything in memory, for ever: for tests, and for caches that live as long as their process. */
export class MemoryNarRoots implements NarRoots {
  readonly #nars = new Map<string, NarRoot>();
  readonly #files = new Map<string, Uint8Array>();

  async get(narSha256: Uint8Array, options: CallOptions = {}): Promise<NarRoot | undefined> {
    options.signal?.throwIfAborted();
    return this.#nars.get(keyOf(narSha256));
  }

  async put(narSha256: Uint8Array, nar: NarRoot, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#nars.set(keyOf(narSha256), nar);
  }

  async getFile(
    fileSha256: Uint8Array,
    options: CallOptions = {},
  ): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted();
    const narSha256 = this.#files.get(keyOf(fileSha256));
    return narSha256 && copyBytes(narSha256);
  }

  async putFile(
    fileSha256: Uint8Array,
    narSha256: Uint8Array,
    options: CallOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    this.#files.set(keyOf(fileSha256), copyBytes(assertSha256(narSha256)));
  }
}

function keyOf(sha256: Uint8Array): string {
  return toLatin1(assertSha256(sha256));
}
