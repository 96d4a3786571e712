import { type BlobService, orAbort } from "@tvix/castore";
import { ContentCache } from "./content-cache.js";
import { type LoadedPiece, loadPieces } from "./load-pieces.js";
import type { Piece } from "./piece.js";

/** Pieces that are fetched together. */
interface Batch {
  readonly controller: AbortController;
  /** Whether nobody waits for it yet, and it is fetched all the same. */
  readonly isAhead: boolean;
  waiting: number;
}

interface Flight {
  readonly content: Promise<Uint8Array>;
  readonly batch: Batch;
}

/** Most content that is fetched in one batch, in bytes and in pieces. */
const MAX_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_PIECES = 64;

/** Fetches pieces of content, each once for all who want it at the same time, and keeps those that were used last. */
export class PieceSource {
  readonly #blobs: BlobService;
  readonly #cache: ContentCache;
  readonly #maxAheadBytes: number;
  readonly #flights = new Map<string, Flight>();
  #aheadBytes = 0;

  /** @param maxBytes - of content in memory; what is fetched ahead takes half of that at most */
  constructor(blobs: BlobService, maxBytes: number) {
    this.#blobs = blobs;
    this.#cache = new ContentCache(maxBytes);
    this.#maxAheadBytes = maxBytes / 2;
  }

  /** The content of a piece, if it is at hand. */
  peek(piece: Piece): Uint8Array | undefined {
    return this.#cache.get(piece.key);
  }

  /**
   * Contents in the order of `pieces`.
   *
   * @throws what the service throws; the reason of `signal` when that aborts, which others do not notice
   */
  async read(pieces: readonly Piece[], signal: AbortSignal): Promise<Uint8Array[]> {
    signal.throwIfAborted();
    const contents = pieces.map((piece) => this.peek(piece));
    const wanted = new Map<string, Piece>();
    for (const [i, piece] of pieces.entries()) {
      if (contents[i] === undefined && this.#flight(piece) === undefined) {
        wanted.set(piece.key, piece);
      }
    }
    if (wanted.size > 0) this.#start([...wanted.values()], false, () => {});
    // All of them are taken at once: one that has landed may be gone from the cache again.
    return Promise.all(
      pieces.map((piece, i) => contents[i] ?? this.#land(this.#flight(piece) as Flight, signal)),
    );
  }

  /** Begins to fetch what will be wanted soon, unless too much is under way. */
  readAhead(pieces: readonly Piece[]): void {
    let batch: Piece[] = [];
    let bytes = 0;
    for (const piece of pieces) {
      if (this.#cache.has(piece.key) || this.#flight(piece) !== undefined) continue;
      const isFull = bytes + piece.length > MAX_BATCH_BYTES || batch.length === MAX_BATCH_PIECES;
      if (isFull && batch.length > 0) {
        this.#startAhead(batch, bytes);
        batch = [];
        bytes = 0;
      }
      batch.push(piece);
      bytes += piece.length;
    }
    this.#startAhead(batch, bytes);
  }

  /** Gives up all that is under way and forgets the rest. */
  close(): void {
    for (const { batch } of this.#flights.values()) batch.controller.abort();
    this.#flights.clear();
    this.#cache.clear();
  }

  #startAhead(batch: readonly Piece[], bytes: number): void {
    if (batch.length === 0 || this.#aheadBytes + bytes > this.#maxAheadBytes) return;
    this.#aheadBytes += bytes;
    this.#start(batch, true, () => {
      this.#aheadBytes -= bytes;
    });
  }

  /** What is under way for a piece and was not given up. */
  #flight(piece: Piece): Flight | undefined {
    const flight = this.#flights.get(piece.key);
    return flight?.batch.controller.signal.aborted === true ? undefined : flight;
  }

  async #land({ content, batch }: Flight, signal: AbortSignal): Promise<Uint8Array> {
    batch.waiting++;
    try {
      return await orAbort(content, signal);
    } finally {
      batch.waiting--;
      if (batch.waiting === 0 && !batch.isAhead) batch.controller.abort();
    }
  }

  /** Fetches pieces that nobody fetches yet. */
  #start(pieces: readonly Piece[], isAhead: boolean, onEnd: () => void): void {
    const batch: Batch = { controller: new AbortController(), isAhead, waiting: 0 };
    const loading = loadPieces(this.#blobs, pieces, batch.controller.signal);
    for (const [i, piece] of pieces.entries()) {
      const content = loading.then((loaded) => contentOf(loaded[i]));
      // It may fail before anybody waits for it.
      content.catch(() => {});
      this.#flights.set(piece.key, { content, batch });
    }
    const land = (): void => {
      for (const { key } of pieces) {
        if (this.#flights.get(key)?.batch === batch) this.#flights.delete(key);
      }
      onEnd();
    };
    loading.then((loaded) => {
      this.#keep(pieces, loaded);
      land();
    }, land);
  }

  #keep(pieces: readonly Piece[], loaded: readonly LoadedPiece[]): void {
    const contents = new Map<string, Uint8Array>();
    let bytes = 0;
    for (const [i, piece] of pieces.entries()) {
      const content = loaded[i];
      // What was filled together shares memory with what failed.
      bytes += piece.length;
      if (content instanceof Uint8Array) contents.set(piece.key, content);
    }
    this.#cache.add(contents, bytes);
  }
}

function contentOf(loaded: LoadedPiece | undefined): Uint8Array {
  if (loaded instanceof Uint8Array) return loaded;
  throw loaded?.error;
}
