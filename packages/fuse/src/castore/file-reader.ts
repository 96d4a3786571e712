import {
  type B3Digest,
  type BlobService,
  type Directory,
  LastUsed,
  SingleFlight,
} from "@tvix/castore";
import { BlobLayout } from "./blob-layout.js";
import { wholePiece } from "./piece.js";
import { PieceSource } from "./piece-source.js";
import { ReadAhead } from "./read-ahead.js";
import { type FilePlace, SiblingAhead } from "./sibling-ahead.js";

/** Files up to this size are fetched whole: a chunk of a larger one is as long. */
const WHOLE_FILE_BYTES = 512 * 1024;

/** Pieces of all files whose layouts are kept; 40 bytes each, and some 256 KiB of content. */
const MAX_KEPT_PIECES = 256 * 1024;

/** A file that is read. */
export interface ReadableFile {
  /** By which it is known until {@link FileReader.forget}. */
  readonly nodeId: number;
  readonly size: number;
  readonly digest: () => B3Digest;
  /** Where it was seen last. */
  readonly place: () => FilePlace;
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
  readonly #siblings: SiblingAhead;
  readonly #maxWindow: number;
  /** By node id. */
  readonly #open = new LastUsed<number, OpenFile>(MAX_KEPT_PIECES, ({ layout }) => layout.count);
  readonly #opening = new SingleFlight<BlobLayout>();

  /** @param directoryOf - the Directory in a slot, if it is one and at hand */
  constructor(
    blobs: BlobService,
    limits: FileReaderLimits,
    directoryOf: (parentSlot: number) => Directory | undefined,
  ) {
    this.#blobs = blobs;
    this.#siblings = new SiblingAhead(WHOLE_FILE_BYTES, directoryOf);
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
    const open = this.#open.get(file.nodeId);
    if (open !== undefined) return this.#readLarge(open, start, end, signal);
    return this.#openLarge(file, signal()).then((opened) =>
      this.#readLarge(opened, start, end, signal),
    );
  }

  /** A file is not known any more by that node id. */
  forget(nodeId: number): void {
    this.#open.delete(nodeId);
  }

  /** Gives up all that is under way and forgets the rest. */
  close(): void {
    this.#source.close();
    this.#siblings.clear();
    this.#open.clear();
  }

  #readSmall(
    file: ReadableFile,
    start: number,
    end: number,
    signal: () => AbortSignal,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    const digest = file.digest();
    const content = this.#source.read(
      [{ piece: wholePiece(digest, file.size), start, end }],
      signal,
    );
    if (start === 0) {
      this.#source.readAhead(this.#siblings.note(digest, file.size, file.place()));
    }
    return content;
  }

  #readLarge(
    { layout, readAhead }: OpenFile,
    start: number,
    end: number,
    signal: () => AbortSignal,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    const content = this.#source.read(layout.slices(start, end), signal);
    const ahead = readAhead.note(start, end);
    if (ahead !== undefined) this.#source.readAhead(layout.pieces(ahead.start, ahead.end));
    return content;
  }

  async #openLarge(file: ReadableFile, signal: AbortSignal): Promise<OpenFile> {
    const digest = file.digest();
    const layout = await this.#opening.run(
      `${digest.key}${file.size}`,
      (call) => BlobLayout.open(this.#blobs, digest, file.size, call),
      signal,
    );
    const known = this.#open.get(file.nodeId);
    if (known !== undefined) return known;
    const opened = { layout, readAhead: new ReadAhead(file.size, this.#maxWindow) };
    this.#open.add(file.nodeId, opened);
    return opened;
  }
}
