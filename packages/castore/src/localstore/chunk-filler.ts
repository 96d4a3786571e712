import { DIGEST_LENGTH } from "../digest.js";
import { CastoreError } from "../errors.js";
import { isBlake3Of } from "../hasher/blake3.js";
import { decodeChunkList } from "./chunk-list.js";
import type { ZstdCodec } from "./compression.js";
import type { IndexReader } from "./index-database.js";
import type { RecordLocation } from "./index-rows.js";
import {
  isChunkRecordOf,
  RECORD_HEADER_LENGTH,
  RecordCodec,
  RecordKind,
  recordCodecOf,
  storedLengthOf,
} from "./pack-format.js";
import { PackWindow, WINDOW_BYTES } from "./pack-window.js";
import type { RecordReader } from "./record-reader.js";

/** Blobs that are wanted, and where their content goes. Passes from thread to thread as it is. */
export interface WantedContent {
  /** Digests, one behind the other. */
  readonly keys: Uint8Array<ArrayBuffer>;
  /** For each digest the offset in the memory and the length of the content. */
  readonly places: Float64Array<ArrayBuffer>;
  readonly memory: SharedArrayBuffer;
  /** Longest record as it is stored, in bytes, that is read: reading it blocks. */
  readonly maxStored: number;
}

/** Where records are found and read. */
export interface ChunkSources {
  readonly index: IndexReader;
  readonly records: RecordReader;
  readonly zstd: ZstdCodec;
}

/** Shorter content is looked for behind what was read last; for longer the index costs little. */
const MAX_NEIGHBOUR = 32 * 1024;

/** A place in a pack. */
interface PackPlace {
  readonly pack: number;
  readonly offset: number;
}

/**
 * Reads many blobs, each checked, to where they are wanted. Blocks, and knows the order of an import:
 * it writes records in the order in which most readers want them, so packs are read in windows, and
 * the record behind the last one is looked at before the index is asked.
 */
export class ChunkFiller {
  readonly #sources: ChunkSources;
  readonly #window: PackWindow;
  readonly #header = new Uint8Array(RECORD_HEADER_LENGTH);
  #scratch = new Uint8Array(0);
  /** Behind the last record of a run of neighbours. */
  #ahead: PackPlace | undefined;
  /** Behind a record that was found elsewhere. */
  #behindOther: PackPlace | undefined;

  constructor(sources: ChunkSources) {
    this.#sources = sources;
    this.#window = new PackWindow(sources.records.packs);
  }

  /**
   * @returns the numbers of those that are not in their place: absent, of another length, damaged,
   *   too long. Reading each alone tells more; what its place holds is of no use.
   */
  fill({ keys, places, memory, maxStored }: WantedContent): number[] {
    const missed: number[] = [];
    let bytes = 0;
    for (let i = 1; i < places.length; i += 2) bytes += places[i] as number;
    this.#begin(bytes);
    const count = places.length / 2;
    for (let i = 0; i < count; i++) {
      const key = keys.subarray(i * DIGEST_LENGTH, (i + 1) * DIGEST_LENGTH);
      const target = new Uint8Array(memory, places[2 * i], places[2 * i + 1]);
      if (!this.#attempt(key, target, maxStored)) missed.push(i);
    }
    return missed;
  }

  /** {@link fill} for one. @returns whether `target` holds the content of `key` */
  fillOne(key: Uint8Array, target: Uint8Array, maxStored: number): boolean {
    this.#begin(target.byteLength);
    return this.#attempt(key, target, maxStored);
  }

  #begin(expectedBytes: number): void {
    // What was read before may have been the end of a write that failed and was made again.
    this.#window.forget(expectedBytes);
    this.#ahead = undefined;
    this.#behindOther = undefined;
  }

  #attempt(key: Uint8Array, target: Uint8Array, maxStored: number): boolean {
    try {
      return this.#fillBlob(key, target, maxStored);
    } catch (error) {
      // Whatever is wrong with it, reading it alone will tell.
      if (CastoreError.is(error) || isSystemError(error)) return false;
      throw error;
    }
  }

  #fillBlob(key: Uint8Array, target: Uint8Array, maxStored: number): boolean {
    if (this.#fillNeighbour(key, target)) return true;
    const location = this.#sources.index.find(RecordKind.CHUNK, key);
    if (location === undefined) return this.#fillFromChunks(key, target, maxStored);
    return this.#fillChunk(key, location, target, maxStored);
  }

  /** Fills `target` from the record behind the last one, if it is that of `key`. */
  #fillNeighbour(key: Uint8Array, target: Uint8Array): boolean {
    if (this.#ahead === undefined || target.byteLength > MAX_NEIGHBOUR) return false;
    const { pack, offset } = this.#ahead;
    let record = this.#window.view(pack, offset, RECORD_HEADER_LENGTH);
    if (record === undefined || !isChunkRecordOf(record, key, target.byteLength)) return false;
    const stored = storedLengthOf(record);
    const length = RECORD_HEADER_LENGTH + stored;
    record = this.#window.view(pack, offset, length);
    if (record === undefined || !this.#open(record, key, target, stored)) return false;
    this.#ahead = { pack, offset: offset + length };
    return true;
  }

  /** Decodes the record of `key` into `target`. @returns whether it is that, and sound */
  #open(record: Uint8Array, key: Uint8Array, target: Uint8Array, stored: number): boolean {
    if (!isChunkRecordOf(record, key, target.byteLength) || storedLengthOf(record) !== stored) {
      return false;
    }
    return this.#decode(record, record.subarray(RECORD_HEADER_LENGTH), key, target);
  }

  #decode(header: Uint8Array, payload: Uint8Array, key: Uint8Array, target: Uint8Array): boolean {
    if (recordCodecOf(header) === RecordCodec.ZSTD) {
      if (!this.#decompress(payload, target)) return false;
    } else if (payload.byteLength !== target.byteLength) {
      return false;
    } else if (payload !== target) {
      target.set(payload);
    }
    return isBlake3Of(target, key);
  }

  #decompress(payload: Uint8Array, target: Uint8Array): boolean {
    try {
      this.#sources.zstd.decompressInto(payload, target);
      return true;
    } catch (error) {
      if (CastoreError.is(error, "CORRUPT")) return false;
      throw error;
    }
  }

  #fillChunk(
    key: Uint8Array,
    location: RecordLocation,
    target: Uint8Array,
    maxStored: number,
  ): boolean {
    if (location.raw !== target.byteLength || location.stored > maxStored) return false;
    return this.#isNextOfRun(location)
      ? this.#readIntoWindow(key, location, target)
      : this.#readAlone(key, location, target);
  }

  /** Whether records behind `location` are worth reading with it; notes where they would be. */
  #isNextOfRun(location: RecordLocation): boolean {
    const { pack, offset, stored } = location;
    const length = RECORD_HEADER_LENGTH + stored;
    const behind = { pack, offset: offset + length };
    const follows =
      this.#ahead === undefined ||
      isAt(this.#ahead, location) ||
      isAt(this.#behindOther, location) ||
      this.#window.holds(pack, offset, length);
    if (follows) this.#ahead = behind;
    else this.#behindOther = behind;
    return follows && length <= WINDOW_BYTES / 2;
  }

  #readIntoWindow(key: Uint8Array, location: RecordLocation, target: Uint8Array): boolean {
    const { pack, offset, stored } = location;
    const record = this.#window.view(pack, offset, RECORD_HEADER_LENGTH + stored);
    return record !== undefined && this.#open(record, key, target, stored);
  }

  /** Reads a record that has no neighbours of interest; into its place at once if it can. */
  #readAlone(key: Uint8Array, location: RecordLocation, target: Uint8Array): boolean {
    const { pack, offset, stored, codec } = location;
    const isRaw = codec === RecordCodec.RAW && stored === target.byteLength;
    if (!isRaw && this.#scratch.byteLength < stored) {
      this.#scratch = new Uint8Array(Math.max(stored, 2 * WINDOW_BYTES));
    }
    const header = this.#header;
    const payload = isRaw ? target : this.#scratch.subarray(0, stored);
    return (
      this.#sources.records.packs.readFully([header, payload], pack, offset) &&
      isChunkRecordOf(header, key, target.byteLength) &&
      storedLengthOf(header) === stored &&
      this.#decode(header, payload, key, target)
    );
  }

  /** Fills `target` with the chunks of a larger blob, and checks that they make it up. */
  #fillFromChunks(key: Uint8Array, target: Uint8Array, maxStored: number): boolean {
    const { index, records } = this.#sources;
    const location = index.find(RecordKind.CHUNK_LIST, key);
    if (location === undefined) return false;
    const list = records.read(RecordKind.CHUNK_LIST, key, location);
    if (list instanceof Promise) {
      list.catch(() => {});
      return false;
    }
    let end = 0;
    for (const { digest, size } of decodeChunkList(list)) {
      const chunk = digest.toBytes();
      const place = index.find(RecordKind.CHUNK, chunk);
      if (place === undefined || size > target.byteLength - end) return false;
      if (!this.#fillChunk(chunk, place, target.subarray(end, end + size), maxStored)) return false;
      end += size;
    }
    return end === target.byteLength && isBlake3Of(target, key);
  }
}

function isAt(place: PackPlace | undefined, { pack, offset }: PackPlace): boolean {
  return place !== undefined && place.pack === pack && place.offset === offset;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
