import type { TreeObserver } from "@tvix/castore/fs";
import type { NarCalculation } from "../nar-calculation.js";
import { createSha256 } from "../sha256/sha256.js";
import { NarEncoder } from "./nar-encoder.js";

export interface NarHasherOptions {
  /** Is told the bytes of the NAR, all of them, in order. They are valid during the call only. */
  readonly onBytes?: (bytes: Uint8Array) => void;
}

/** Computes size and SHA-256 of the NAR of the tree it observes, without keeping any of it. */
export class NarHasher implements TreeObserver {
  readonly #sha256 = createSha256();
  #size = 0;
  readonly #encoder: NarEncoder;

  constructor({ onBytes }: NarHasherOptions = {}) {
    this.#encoder = new NarEncoder((bytes) => {
      this.#size += bytes.byteLength;
      this.#sha256.update(bytes);
      onBytes?.(bytes);
    });
  }

  beginDirectory(): void {
    this.#encoder.beginDirectory();
  }

  entry(name: Uint8Array): void {
    this.#encoder.entry(name);
  }

  endDirectory(): void {
    this.#encoder.endDirectory();
  }

  beginFile(size: number, executable: boolean): void {
    this.#encoder.beginFile(size, executable);
  }

  fileBytes(bytes: Uint8Array): void {
    this.#encoder.fileBytes(bytes);
  }

  endFile(): void {
    this.#encoder.endFile();
  }

  symlink(target: Uint8Array): void {
    this.#encoder.symlink(target);
  }

  /**
   * What the whole tree amounts to. Call it once, when the tree is complete.
   *
   * @throws {@link TypeError} when it is not
   */
  finish(): NarCalculation {
    if (!this.#encoder.complete) {
      throw new TypeError("Cannot finish the hash of a NAR: its tree is not complete");
    }
    return { narSize: BigInt(this.#size), narSha256: this.#sha256.digest() };
  }
}
