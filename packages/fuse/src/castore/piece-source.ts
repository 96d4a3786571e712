import { type BlobService, orAbort } from "@tvix/castore";
import { ContentCache } from "./content-cache.js";
import type { Piece, Slice } from "./piece.js";
import { type LoadedPiece, type LoadedPieces, PieceLoader } from "./piece-loader.js";

/** Pieces that are fetched together. */
interface Batch {
  readonly controller: AbortController;
  readonly loading: Promise<LoadedPieces>;
  waiting: number;
  hasLanded: boolean;
  /** What is to be given back when nobody waits, and nothing of it is cached any more. */
  memory: SharedArrayBuffer | undefined;
  isCached: boolean;
}

/** A piece on its way. */
interface Flight {
  readonly batch: Batch;
  /** Its number in the batch. */
  readonly index: number;
}

/** Most content that is fetched in one batch, in bytes and in pieces. */
const MAX_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_PIECES = 256;

/** Most content on its way ahead of readers, in bytes. */
const MAX_AHEAD_BYTES = 32 * 1024 * 1024;

/** Most pieces that everybody waits for while they are read: a read may touch two chunks. */
const MAX_PIECES_NOW = 2;

/** Fetches pieces of content, each once for all who want it at the same time, and keeps those that were used last. */
export class PieceSource {
  readonly #loader: PieceLoader;
  readonly #cache: ContentCache;
  readonly #maxAheadBytes: number;
  readonly #flights = new Map<string, Flight>();
  #aheadBytes = 0;

  /** @param maxBytes - of content in memory; what is on its way ahead takes half of that at most */
  constructor(blobs: BlobService, maxBytes: number) {
    this.#loader = new PieceLoader(blobs);
    this.#cache = new ContentCache(maxBytes);
    this.#maxAheadBytes = Math.min(maxBytes / 2, MAX_AHEAD_BYTES);
  }

  /**
   * The bytes of slices, in their order; at once where all are at hand. They stay as they are until the event loop
   * turns.
   *
   * @throws what the service throws; the reason of `signal` when that aborts, which others do not notice
   */
  read(slices: readonly Slice[], signal: () => AbortSignal): Uint8Array[] | Promise<Uint8Array[]> {
    const parts: Uint8Array[] = [];
    const missing: Slice[] = [];
    for (const slice of slices) {
      const content = this.#cache.serve(slice.piece.key, slice.end - slice.start);
      if (content === undefined) missing.push(slice);
      else parts.push(cut(content, slice));
    }
    if (missing.length === 0) return parts;
    const merge = (fetched: Uint8Array[]): Uint8Array[] =>
      fetched.length === slices.length ? fetched : merged(slices, missing, parts, fetched);
    const now = this.#readNow(missing);
    if (now !== undefined) return merge(now);
    for (const [i, part] of parts.entries()) parts[i] = part.slice();
    return this.#fetch(missing, signal()).then(merge);
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

  /** Few pieces, where all are to be had without waiting. */
  #readNow(slices: readonly Slice[]): Uint8Array[] | undefined {
    if (slices.length > MAX_PIECES_NOW) return undefined;
    const parts: Uint8Array[] = [];
    for (const slice of slices) {
      const { piece, start, end } = slice;
      if (this.#flight(piece) !== undefined) return undefined;
      const content = this.#loader.loadNow(piece);
      if (content === undefined) return undefined;
      this.#cache.add(piece.key, content);
      this.#cache.serve(piece.key, end - start);
      parts.push(cut(content, slice));
    }
    return parts;
  }

  async #fetch(slices: readonly Slice[], signal: AbortSignal): Promise<Uint8Array[]> {
    signal.throwIfAborted();
    const wanted = new Map<string, Piece>();
    for (const { piece } of slices) {
      if (this.#flight(piece) === undefined) wanted.set(piece.key, piece);
    }
    if (wanted.size > 0) this.#start([...wanted.values()], () => {});
    // Taken from the batches: what has landed may be gone from the cache again.
    const flights = slices.map(({ piece }) => this.#flight(piece) as Flight);
    const batches = [...new Set(flights.map(({ batch }) => batch))];
    for (const batch of batches) batch.waiting++;
    try {
      const loaded = new Map<Batch, LoadedPieces>();
      const wait = async (batch: Batch): Promise<void> => {
        loaded.set(batch, await orAbort(batch.loading, signal));
      };
      await Promise.all(batches.map(wait));
      return slices.map((slice, i) => {
        const { batch, index } = flights[i] as Flight;
        const content = contentOf(loaded.get(batch)?.pieces[index]);
        this.#cache.serve(slice.piece.key, slice.end - slice.start);
        return cut(content, slice);
      });
    } finally {
      for (const batch of batches) this.#leave(batch);
    }
  }

  /**
   * Waits no longer for a batch, which is given up when the last one who waited is interrupted, also where it was fetched
   * ahead: it may hang, and who comes next would wait for the same.
   */
  #leave(batch: Batch): void {
    batch.waiting--;
    if (batch.waiting === 0 && !batch.hasLanded) batch.controller.abort();
    this.#giveBack(batch);
  }

  /** Gives the memory of a batch back once nobody looks at it. */
  #giveBack(batch: Batch): void {
    const { memory, waiting, isCached } = batch;
    if (memory === undefined || waiting > 0 || isCached) return;
    batch.memory = undefined;
    this.#loader.giveBack(memory);
  }

  #startAhead(pieces: readonly Piece[], bytes: number): void {
    if (pieces.length === 0 || this.#aheadBytes + bytes > this.#maxAheadBytes) return;
    this.#aheadBytes += bytes;
    this.#start(pieces, () => {
      this.#aheadBytes -= bytes;
    });
  }

  /** What is under way for a piece and was not given up. */
  #flight({ key }: Piece): Flight | undefined {
    const flight = this.#flights.get(key);
    return flight?.batch.controller.signal.aborted === true ? undefined : flight;
  }

  /** Fetches pieces that nobody fetches yet. */
  #start(pieces: readonly Piece[], onEnd: () => void): void {
    const controller = new AbortController();
    const loading = this.#loader.load(pieces, controller.signal);
    const batch: Batch = {
      controller,
      loading,
      waiting: 0,
      hasLanded: false,
      memory: undefined,
      isCached: false,
    };
    for (const [index, { key }] of pieces.entries()) this.#flights.set(key, { batch, index });
    const land = (): void => {
      batch.hasLanded = true;
      for (const { key } of pieces) {
        if (this.#flights.get(key)?.batch === batch) this.#flights.delete(key);
      }
      onEnd();
    };
    loading.then((loaded) => {
      this.#keep(batch, pieces, loaded);
      land();
    }, land);
  }

  /** Keeps what a batch has brought. */
  #keep(batch: Batch, wanted: readonly Piece[], { pieces, memory }: LoadedPieces): void {
    const placed: [string, Uint8Array][] = [];
    for (const [i, { key }] of wanted.entries()) {
      const content = pieces[i];
      if (!(content instanceof Uint8Array)) continue;
      if (content.buffer === memory) placed.push([key, content]);
      else this.#cache.add(key, content);
    }
    if (memory === undefined) return;
    batch.memory = memory;
    batch.isCached = this.#cache.addBlock(placed, memory.byteLength, () => {
      batch.isCached = false;
      this.#giveBack(batch);
    });
    this.#giveBack(batch);
  }
}

function contentOf(loaded: LoadedPiece | undefined): Uint8Array {
  if (loaded instanceof Uint8Array) return loaded;
  throw loaded?.error;
}

function cut(content: Uint8Array, { start, end }: Slice): Uint8Array {
  return content.subarray(start, end);
}

/** The parts of all slices, of which those of `missing` came later. */
function merged(
  slices: readonly Slice[],
  missing: readonly Slice[],
  parts: readonly Uint8Array[],
  fetched: readonly Uint8Array[],
): Uint8Array[] {
  let nextPart = 0;
  let nextFetched = 0;
  return slices.map(
    (slice) =>
      (slice === missing[nextFetched] ? fetched[nextFetched++] : parts[nextPart++]) as Uint8Array,
  );
}
