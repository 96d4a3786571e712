import type { B3Digest, BlobService, CallOptions } from "@tvix/castore";

/** Bytes on their way into a blob. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly taken: () => void;
  readonly failed: (error: unknown) => void;
}

/** Ends the blob of a copy that is not wanted. */
const DISCARDED = new Error("The copy is not wanted");

/** Stores a copy of what passes by, no faster than it can be stored. */
export class BlobCopy {
  readonly #stored: Promise<B3Digest>;
  #piece: Piece | undefined;
  #end: "open" | "whole" | "discarded" = "open";
  #wake = (): void => {};
  #failure: { readonly error: unknown } | undefined;

  constructor(blobs: BlobService, options: CallOptions) {
    this.#stored = blobs.put(this.#pieces(), options);
    this.#stored.catch((error: unknown) => {
      this.#failure = { error };
      this.#piece?.failed(error);
    });
  }

  /** Fulfils when `bytes` have been used up. @throws what storing throws */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    await new Promise<void>((taken, failed) => {
      this.#piece = { bytes, taken, failed };
      this.#wake();
    });
  }

  /** Ends the blob, which is there when the promise fulfils. */
  async finish(): Promise<B3Digest> {
    this.#close("whole");
    return await this.#stored;
  }

  /** Gives the blob up, unless it is there already. Fulfils when nothing of it is under way any more. */
  async discard(): Promise<void> {
    this.#close("discarded");
    await this.#stored.catch(() => {});
  }

  #close(end: "whole" | "discarded"): void {
    if (this.#end === "open") this.#end = end;
    this.#wake();
  }

  async *#pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const piece = this.#piece;
      if (this.#end === "discarded") throw DISCARDED;
      if (piece !== undefined) {
        yield piece.bytes;
        this.#piece = undefined;
        piece.taken();
      } else if (this.#end === "whole") {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
