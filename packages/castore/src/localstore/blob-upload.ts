import type { CallOptions } from "../blobservice/blob-service.js";
import { concatBytes, copyBytes } from "../bytes.js";
import { chunkSizes } from "../chunking/fastcdc.js";
import type { B3Digest } from "../digest.js";
import { copyInto } from "../shared-copy.js";
import { MAX_PIECE_BYTES } from "./blob-cutter.js";
import { encodeChunkList } from "./chunk-list.js";
import { RecordKind } from "./pack-format.js";
import type { StoreCore } from "./store-core.js";
import type { CutBlob, CutChunks, StoreWrites } from "./store-writes.js";

/** Pieces of one blob that may wait for the threads that encode and write. */
const MAX_PIECES_IN_FLIGHT = 8;

/** Memory for the pieces of all blobs together, as long as {@link SMALL_PIECE_BYTES} for each are not more. */
const PIECE_BYTES_OF_ALL = 64 * 1024 * 1024;

/** Pieces when there are many blobs. */
const SMALL_PIECE_BYTES = 256 * 1024;

const { min: MAX_SINGLE_BYTES } = chunkSizes();

/** One blob on its way into the store: gathered while it is small, cut into chunks from then on. */
export class BlobUpload {
  readonly #core: StoreCore;
  readonly #writes: StoreWrites;
  readonly #signal: AbortSignal | undefined;
  #small: Uint8Array[] = [];
  #smallBytes = 0;
  #cut: CutBlob | undefined;
  /** The next piece, as far as it has come. */
  #piece: Uint8Array | undefined;
  #filled = 0;
  readonly #pieces: Promise<CutChunks>[] = [];

  constructor(core: StoreCore, writes: StoreWrites, signal?: AbortSignal) {
    this.#core = core;
    this.#writes = writes;
    this.#signal = signal;
  }

  /** Takes a copy of the next bytes; waits while too much is in flight. */
  async push(bytes: Uint8Array): Promise<void> {
    if (this.#cut === undefined && this.#smallBytes + bytes.byteLength <= MAX_SINGLE_BYTES) {
      this.#small.push(copyBytes(bytes));
      this.#smallBytes += bytes.byteLength;
      return;
    }
    if (this.#cut === undefined) {
      this.#cut = await this.#writes.cutBlob(this.#signal);
      this.#core.uploadsInChunks++;
      for (const early of this.#small.splice(0)) this.#gather(this.#cut, early);
    }
    this.#gather(this.#cut, bytes);
    // Older pieces are done, or nearly so; waiting for one of them bounds what is in flight.
    await this.#pieces[this.#pieces.length - this.#piecesAllowed()];
  }

  /**
   * Ends the blob: when the promise fulfils, all of it is stored, its chunk list last.
   *
   * @returns the digest of the blob
   */
  async finish(options: CallOptions = {}): Promise<B3Digest> {
    if (this.#cut === undefined) {
      const whole = concatBytes(this.#small);
      const [digest] = await this.#writes.store(RecordKind.CHUNK, [whole], options);
      return digest as B3Digest;
    }
    this.#send(this.#cut, true);
    const pieces = await Promise.all(this.#pieces);
    const digest = pieces.at(-1)?.whole as B3Digest;
    const chunks = pieces.flatMap((piece) => piece.chunks);
    options.signal?.throwIfAborted();
    // A blob that came out as one chunk is that chunk: it is stored under the same digest.
    if (chunks.length > 1) {
      const list = encodeChunkList(chunks);
      await this.#writes.storeKeyed(RecordKind.CHUNK_LIST, digest.toBytes(), list);
    }
    return digest;
  }

  /** Frees what an upload holds. To be called once, at its end, however it ends. */
  dispose(): void {
    if (this.#cut !== undefined) this.#core.uploadsInChunks--;
    this.#cut?.abandon();
    // Pieces may still be on their way; whoever reported the failure has said enough.
    for (const piece of this.#pieces) piece.catch(() => {});
  }

  /** What all blobs have in flight, divided among them. Each may have one piece, however many they are. */
  #piecesAllowed(): number {
    const share = this.#share() / this.#pieceBytes();
    return Math.max(1, Math.min(MAX_PIECES_IN_FLIGHT, Math.floor(share)));
  }

  #pieceBytes(): number {
    return this.#share() >= 2 * MAX_PIECE_BYTES ? MAX_PIECE_BYTES : SMALL_PIECE_BYTES;
  }

  #share(): number {
    return PIECE_BYTES_OF_ALL / this.#core.uploadsInChunks;
  }

  #gather(cut: CutBlob, bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.byteLength; ) {
      this.#piece ??= this.#takePiece(this.#pieceBytes());
      const part = bytes.subarray(offset, offset + this.#piece.byteLength - this.#filled);
      copyInto(this.#piece, this.#filled, part);
      this.#filled += part.byteLength;
      offset += part.byteLength;
      if (this.#filled === this.#piece.byteLength) this.#send(cut, false);
    }
  }

  #takePiece(bytes: number): Uint8Array {
    return bytes === MAX_PIECE_BYTES
      ? this.#core.blocks.take().subarray(0, bytes)
      : new Uint8Array(new SharedArrayBuffer(bytes));
  }

  #send(cut: CutBlob, isLast: boolean): void {
    const piece = this.#piece ?? new Uint8Array(new SharedArrayBuffer(0));
    const stored = cut.add(piece.subarray(0, this.#filled), isLast);
    this.#piece = undefined;
    this.#filled = 0;
    // Awaited later, or never after a failure elsewhere: it must not count as unhandled till then.
    stored.catch(() => {});
    this.#pieces.push(stored);
  }
}
