import { splitBytes } from "../bytes.js";
import { CHUNK_BLOCK_BYTES } from "../chunking/chunker.js";
import { ChunkWindow, chunkSizes } from "../chunking/fastcdc.js";
import { type Blake3Hash, createBlake3 } from "../hasher/blake3.js";
import { copyInto } from "../shared-copy.js";

const SIZES = chunkSizes();

/** Longest piece of a blob: with what is left of those before, it is one block. */
export const MAX_PIECE_BYTES: number = CHUNK_BLOCK_BYTES - SIZES.max;

/** What has become certain of a blob. */
interface CutPiece {
  /** The next chunks; good until the next call. */
  readonly chunks: readonly Uint8Array[];
  /** Digest of the whole blob, 32 bytes, with its last chunk. */
  readonly whole: Uint8Array | undefined;
}

interface OpenBlob {
  readonly hash: Blake3Hash;
  /** What comes before the next piece, at its start: no chunk may end in it without knowing more. */
  readonly rest: Uint8Array;
  restBytes: number;
}

/** Cuts blobs whose pieces come one after the other, many blobs at the same time, and hashes each as a whole. */
export class BlobCutter {
  readonly #open = new Map<number, OpenBlob>();
  #window: ChunkWindow | undefined;

  /** @param bytes - may be in shared memory */
  add(name: number, bytes: Uint8Array, isLast: boolean): CutPiece {
    const blob = this.#blob(name);
    this.#window ??= new ChunkWindow(SIZES, CHUNK_BLOCK_BYTES);
    const window = this.#window.bytes;
    // Always at the same place, where words lie in words: what is left of earlier pieces goes before it.
    const end = SIZES.max + bytes.byteLength;
    copyInto(window, SIZES.max, bytes);
    blob.hash.update(window.subarray(SIZES.max, end));
    const start = SIZES.max - blob.restBytes;
    window.set(blob.rest.subarray(0, blob.restBytes), start);
    const lengths = this.#window.cut(start, end, isLast);
    const chunks = splitBytes(window.subarray(start), lengths);
    const cut = lengths.reduce((sum, length) => sum + length, start);
    blob.rest.set(window.subarray(cut, end));
    blob.restBytes = end - cut;
    return { chunks, whole: isLast ? this.#finish(name, blob) : undefined };
  }

  /** Forgets a blob of which nothing more comes. */
  abandon(name: number): void {
    this.#open.get(name)?.hash.dispose();
    this.#open.delete(name);
  }

  #blob(name: number): OpenBlob {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const blob = { hash: createBlake3(), rest: new Uint8Array(SIZES.max), restBytes: 0 };
    this.#open.set(name, blob);
    return blob;
  }

  #finish(name: number, { hash }: OpenBlob): Uint8Array {
    this.#open.delete(name);
    return hash.digest().toBytes();
  }
}
