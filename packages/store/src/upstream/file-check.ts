import { equalBytes } from "@tvix/castore";
import type { Narinfo } from "../narinfo/narinfo.js";
import { createHasher } from "../nix-hash/hasher.js";
import { NixHash } from "../nix-hash.js";
import { UpstreamError } from "./upstream-error.js";

/**
 * Holds a file of a cache, as it is compressed, against the size and hash that its narinfo states, while
 * somebody reads it.
 */
export class FileCheck {
  readonly #narinfo: Narinfo;
  #length = 0n;
  #hash: Uint8Array | undefined;

  constructor(narinfo: Narinfo) {
    this.#narinfo = narinfo;
  }

  /** Passes `source` on. @throws {@link UpstreamError} as soon as there is more than stated */
  async *watch(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const { fileSize, fileHash } = this.#narinfo;
    const hasher = fileHash === undefined ? undefined : createHasher(fileHash.algorithm);
    for await (const bytes of source) {
      this.#length += BigInt(bytes.byteLength);
      if (fileSize !== undefined && this.#length > fileSize) {
        throw this.#mismatch(`it is longer than the ${fileSize} bytes that its narinfo states`);
      }
      hasher?.update(bytes);
      yield bytes;
    }
    if (fileSize !== undefined && this.#length < fileSize) throw this.#truncated(fileSize);
    this.#hash = hasher?.digest();
  }

  /**
   * To be asked when the NAR is complete.
   *
   * @throws {@link UpstreamError} with reason "mismatch"
   */
  finish(): void {
    const { fileHash } = this.#narinfo;
    if (fileHash === undefined) return;
    // Only then was the file read to its end.
    if (this.#hash === undefined) throw this.#mismatch("there is more behind its NAR");
    if (equalBytes(this.#hash, fileHash.toBytes())) return;
    const actual = NixHash.of(fileHash.algorithm, this.#hash);
    throw this.#mismatch(`its hash is ${actual}, not ${fileHash} as its narinfo states`);
  }

  /** A server that marks the end of a body by closing the connection cannot tell that it broke off. */
  #truncated(fileSize: bigint): UpstreamError {
    const what = `it ended after ${this.#length} of ${fileSize} bytes`;
    const { storePath } = this.#narinfo;
    const message = `Cannot take the NAR of ${storePath} from a cache: ${what}`;
    return new UpstreamError("truncated", message, { transient: true });
  }

  #mismatch(why: string): UpstreamError {
    const { storePath, url } = this.#narinfo;
    const subject = `Cannot take ${storePath} from a cache: the file ${url.split("?", 1)[0]}`;
    return new UpstreamError("mismatch", `${subject} is not as stated: ${why}`);
  }
}
