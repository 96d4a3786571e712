import { CONTENT_MESSAGE_BYTES } from "../rpc/limits.js";

/**
 * Longest blob that is sent as a whole, in a message with others. The server cuts it, as it cuts all blobs: of
 * one that is no longer than a few chunks there is little that it could have already.
 */
export const MAX_WHOLE_BYTES: number = CONTENT_MESSAGE_BYTES;

/** What is set aside at first; it doubles up to {@link MAX_WHOLE_BYTES}. */
const FIRST_BYTES = 16 * 1024;

/** The start of a source, held until it is known whether more comes than is sent in one message. */
export class UploadHead {
  #held = new Uint8Array(FIRST_BYTES);
  #filled = 0;
  /** The piece that was too much: it stays as it is until the next one is asked for. */
  #surplus: Uint8Array | undefined;

  /** What has been held so far. */
  get bytes(): Uint8Array {
    return this.#held.subarray(0, this.#filled);
  }

  /** Takes pieces up to the limit. @returns whether that was all */
  async takeAll(pieces: AsyncGenerator<Uint8Array, void, undefined>): Promise<boolean> {
    for (;;) {
      const { done, value: piece } = await pieces.next();
      if (done === true) return true;
      if (this.#filled + piece.byteLength > MAX_WHOLE_BYTES) {
        this.#surplus = piece;
        return false;
      }
      this.#reserve(this.#filled + piece.byteLength);
      this.#held.set(piece, this.#filled);
      this.#filled += piece.byteLength;
    }
  }

  /** What was taken, and then the rest. */
  async *followedBy(
    rest: AsyncGenerator<Uint8Array, void, undefined>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#filled > 0) yield this.bytes;
    if (this.#surplus !== undefined) yield this.#surplus;
    yield* rest;
  }

  #reserve(length: number): void {
    if (length <= this.#held.byteLength) return;
    const larger = new Uint8Array(Math.max(length, 2 * this.#held.byteLength));
    larger.set(this.bytes);
    this.#held = larger;
  }
}
