import { type B3Digest, type BlobService, SingleFlight } from "@tvix/castore";
import { BlobLayout } from "./blob-layout.js";
import { wholePiece } from "./piece.js";
import { PieceSource } from "./piece-source.js";
import { ReadAhead } from "./read-ahead.js";

/** Files up to this size are fetched whole: a chunk of a larger one is as long. */
const WHOLE_FILE_BYTES = 512 * 1024;

/** Pieces of all files whose layouts are kept; 40 bytes each, and some 256 KiB of content. */
const MAX_KEPT_PIECES = 256 * 1024;

/** A file that is read. */
export interface ReadableFile {
  /** By which it is known until {@link FileReader.forget}. */
  readonly nodeId: number;
  readonly digest: () => B3Digest;
  readonly size: number;
}

/** A larger file. */
interface OpenFile {
  readonly layout: BlobLayout;
  readonly readAhead: ReadAhead;
}

/** How much memory a {@link FileReader} takes, in bytes. */
export interface FileReaderLimits {
  /** For content. */
  readonly cacheBytes: number;
  /** How far ahead of one reader content is fetched. */
  readonly readAheadBytes: number;
}

/** Reads files: small ones whole, of larger ones the chunks that are touched, and more where they are read in order. */
export class FileReader {
  readonly #blobs: BlobService;
  readonly #source: PieceSource;
  readonly #maxWindow: number;
  /** By node id; the one that was read last is at the end. */
  readonly #open = new Map<number, OpenFile>();
  readonly #opening = new SingleFlight<BlobLayout>();
  #keptPieces = 0;

  constructor(blobs: BlobService, limits: FileReaderLimits) {
    this.#blobs = blobs;
    this.#source = new PieceSource(blobs, limits.cacheBytes);
    // Several readers at a time must not throw out what another has not taken yet.
    this.#maxWindow = Math.min(limits.readAheadBytes, limits.cacheBytes / 4);
  }

  /**
   * Bytes from `start` to before `end`, which are within the file. They are not to be changed.
   *
   * @param signal - asked for only where something has to be waited for
   */
  read(
    file: ReadableFile,
    start: number,
    end: number,
    signal: () => AbortSignal,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    if (file.size <= WHOLE_FILE_BYTES) return this.#readSmall(file, start, end, signal);
    const open = this.#touch(file.nodeId);
    if (open !== undefined) return this.#readLarge(open, start, end, signal);
    return this.#openLarge(file, signal()).then((opened) =>
      this.#readLarge(opened, start, end, signal),
    );
  }

  /** A file is not known any more by that node id. */
  forget(nodeId: number): void {
    const open = this.#open.get(nodeId);
    if (open === undefined) return;
    this.#open.delete(nodeId);
    this.#keptPieces -= open.layout.pieces;
  }

  /** Gives up all that is under way and forgets the rest. */
  close(): void {
    this.#source.close();
    this.#open.clear();
    this.#keptPieces = 0;
  }

  #readSmall(
    file: ReadableFile,
    start: number,
    end: number,
    signal: () => AbortSignal,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    const piece = wholePiece(file.digest(), file.size);
    const content = this.#source.peek(piece);
    if (content !== undefined) return [content.subarray(start, end)];
    return this.#source
      .read([piece], signal())
      .then((contents) => contents.map((bytes) => bytes.subarray(start, end)));
  }

  #readLarge(
    { layout, readAhead }: OpenFile,
    start: number,
    end: number,
    signal: () => AbortSignal,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    const { first, pieces } = layout.between(start, end);
    const cut = (content: Uint8Array, i: number): Uint8Array => {
      const at = layout.startOf(first + i);
      return content.subarray(Math.max(0, start - at), end - at);
    };
    const contents = pieces.map((piece) => this.#source.peek(piece));
    const isComplete = contents.every((content) => content !== undefined);
    const result = isComplete
      ? contents.map(cut)
      : this.#source.read(pieces, signal()).then((read) => read.map(cut));
    const ahead = readAhead.note(start, end);
    if (ahead !== undefined) {
      this.#source.readAhead(layout.between(ahead.start, ahead.end).pieces);
    }
    return result;
  }

  async #openLarge(file: ReadableFile, signal: AbortSignal): Promise<OpenFile> {
    const digest = file.digest();
    const layout = await this.#opening.run(
      `${digest.key}${file.size}`,
      (call) => BlobLayout.open(this.#blobs, digest, file.size, call),
      signal,
    );
    const known = this.#touch(file.nodeId);
    if (known !== undefined) return known;
    const opened = { layout, readAhead: new ReadAhead(file.size, this.#maxWindow) };
    this.#open.set(file.nodeId, opened);
    this.#keptPieces += layout.pieces;
    for (const nodeId of this.#open.keys()) {
      if (this.#keptPieces <= MAX_KEPT_PIECES || nodeId === file.nodeId) break;
      this.forget(nodeId);
    }
    return opened;
  }

  #touch(nodeId: number): OpenFile | undefined {
    const open = this.#open.get(nodeId);
    if (open === undefined) return undefined;
    this.#open.delete(nodeId);
    this.#open.set(nodeId, open);
    return open;
  }
}
