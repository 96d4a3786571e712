import { CastoreError } from "../errors.js";
import type { ZstdCodec } from "./compression.js";
import type { IndexedPack, IndexWriter } from "./index-database.js";
import type { PackFile, PackFiles } from "./pack-files.js";
import {
  decodePackHeader,
  MAX_RECORD_PAYLOAD,
  PACK_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  RECORD_MAGIC_BYTES,
  type RecordHeader,
  RecordKind,
  readRecordHeader,
} from "./pack-format.js";
import { openPayload } from "./record.js";

/** Something that opening the store found and dealt with. */
export interface RecoveryEvent {
  /**
   * - `tail-indexed`: whole records behind what the index knew were added to it.
   * - `tail-cut`: an incomplete record at the end of a pack was cut off: a write that had not ended.
   * - `damaged`: bytes inside a pack are not sound records; they are left alone and not indexed.
   * - `pack-short`: a pack is shorter than the index says; nothing is appended to it any more.
   */
  readonly type: "tail-indexed" | "tail-cut" | "damaged" | "pack-short";
  readonly pack: number;
  /** Where in the pack. */
  readonly offset: number;
  readonly bytes: number;
  /** How many records, for `tail-indexed`. */
  readonly records: number;
}

/** How much of a pack is looked at together while searching for records. */
const SCAN_WINDOW = 1024 * 1024;

/** How many records are indexed in one transaction. */
const RECORDS_PER_COMMIT = 10_000;

/**
 * Brings the index in line with the packs, which are what counts: whole records that it does not
 * know are indexed, the torn end of an interrupted write is cut off. With an empty index this
 * rebuilds it from the packs alone. Costs one `stat` a pack when there is nothing to do.
 */
export function reconcile(index: IndexWriter, files: PackFiles, zstd: ZstdCodec): RecoveryEvent[] {
  const known = new Map(index.packs().map((pack) => [pack.id, pack]));
  const ids = files.list();
  const events: RecoveryEvent[] = [];
  for (const id of ids) {
    const file = files.open(id);
    try {
      const pack = known.get(id) ?? { id, length: 0, sealed: false };
      events.push(...reconcilePack(index, file, pack, id === ids.at(-1), zstd));
    } finally {
      file.close();
    }
  }
  for (const pack of known.values()) {
    if (!ids.includes(pack.id)) {
      events.push({ type: "pack-short", pack: pack.id, offset: 0, bytes: pack.length, records: 0 });
    }
  }
  return events;
}

function reconcilePack(
  index: IndexWriter,
  file: PackFile,
  pack: IndexedPack,
  isLast: boolean,
  zstd: ZstdCodec,
): RecoveryEvent[] {
  const size = file.size();
  if (size === pack.length) return [];
  if (size < pack.length) {
    if (!pack.sealed) index.commit(() => index.savePack({ ...pack, sealed: true }));
    return [
      { type: "pack-short", pack: pack.id, offset: size, bytes: pack.length - size, records: 0 },
    ];
  }
  if (pack.length < PACK_HEADER_LENGTH) {
    if (size < PACK_HEADER_LENGTH) return restartPack(index, file, pack, size);
    decodePackHeader(readAt(file, 0, PACK_HEADER_LENGTH), pack.id);
  }
  const scan = new PackScan(index, file, pack.id, size, zstd);
  const end = scan.run(Math.max(pack.length, PACK_HEADER_LENGTH), isLast);
  index.commit(() => index.savePack({ id: pack.id, length: end, sealed: !isLast }));
  return scan.events;
}

/** A pack whose very header was being written: no record was ever in it. */
function restartPack(
  index: IndexWriter,
  file: PackFile,
  pack: IndexedPack,
  size: number,
): RecoveryEvent[] {
  // Sealed at once: nothing refers to it, and the next pack gets a number of its own.
  index.commit(() => index.savePack({ id: pack.id, length: 0, sealed: true }));
  file.truncate(0);
  return size === 0
    ? []
    : [{ type: "tail-cut", pack: pack.id, offset: 0, bytes: size, records: 0 }];
}

/** Walks over the part of a pack that the index does not know. */
class PackScan {
  readonly events: RecoveryEvent[] = [];
  readonly #index: IndexWriter;
  readonly #file: PackFile;
  readonly #pack: number;
  readonly #size: number;
  readonly #zstd: ZstdCodec;
  #found: { header: RecordHeader; offset: number }[] = [];
  #indexed = 0;

  constructor(index: IndexWriter, file: PackFile, pack: number, size: number, zstd: ZstdCodec) {
    this.#index = index;
    this.#file = file;
    this.#pack = pack;
    this.#size = size;
    this.#zstd = zstd;
  }

  /** @returns where the pack ends now */
  run(start: number, mayCut: boolean): number {
    let offset = start;
    while (offset < this.#size) {
      const header = this.#headerAt(offset);
      const end = header === undefined ? undefined : this.#endOf(header, offset);
      if (header === undefined || end === undefined) {
        const next = this.#nextHeader(offset + 1);
        if (next === undefined) {
          offset = this.#endAt(offset, mayCut);
          break;
        }
        this.#damaged(offset, next - offset);
        offset = next;
        continue;
      }
      if (this.#isSound(header, offset)) this.#keep(header, offset);
      else if (end === this.#size && mayCut) {
        // The last record, complete in length but not in content: its write had not ended.
        offset = this.#endAt(offset, mayCut);
        break;
      } else this.#damaged(offset, end - offset);
      offset = end;
    }
    this.#commit();
    if (this.#indexed > 0) {
      this.events.push({
        type: "tail-indexed",
        pack: this.#pack,
        offset: start,
        bytes: offset - start,
        records: this.#indexed,
      });
    }
    return offset;
  }

  #headerAt(offset: number): RecordHeader | undefined {
    return readRecordHeader(readAt(this.#file, offset, RECORD_HEADER_LENGTH), 0);
  }

  #endOf(header: RecordHeader, offset: number): number | undefined {
    const end = offset + RECORD_HEADER_LENGTH + header.storedLength;
    return end <= this.#size ? end : undefined;
  }

  #isSound(header: RecordHeader, offset: number): boolean {
    const stored = readAt(this.#file, offset + RECORD_HEADER_LENGTH, header.storedLength);
    try {
      openPayload(header, stored, this.#zstd);
      return true;
    } catch (error) {
      if (CastoreError.is(error, "CORRUPT")) return false;
      throw error;
    }
  }

  /** Where the next sound header begins, from `start` on. */
  #nextHeader(start: number): number | undefined {
    const first = RECORD_MAGIC_BYTES[0] as number;
    for (let base = start; base < this.#size; base += SCAN_WINDOW) {
      // Windows overlap by a header, so that none is cut in two.
      const window = readAt(
        this.#file,
        base,
        Math.min(SCAN_WINDOW + RECORD_HEADER_LENGTH, this.#size - base),
      );
      for (
        let at = window.indexOf(first);
        at !== -1 && at < SCAN_WINDOW;
        at = window.indexOf(first, at + 1)
      ) {
        const header = readRecordHeader(window, at);
        if (header !== undefined && this.#endOf(header, base + at) !== undefined) return base + at;
      }
    }
    return undefined;
  }

  #endAt(offset: number, mayCut: boolean): number {
    if (!mayCut) {
      this.#damaged(offset, this.#size - offset);
      return this.#size;
    }
    this.#file.truncate(offset);
    this.#file.sync();
    this.#event("tail-cut", offset, this.#size - offset);
    return offset;
  }

  #keep(header: RecordHeader, offset: number): void {
    this.#found.push({ header, offset });
    if (this.#found.length >= RECORDS_PER_COMMIT) this.#commit();
  }

  #commit(): void {
    const found = this.#found;
    this.#index.commit(() => {
      for (const { header, offset } of found) {
        if (header.kind === RecordKind.PATH_INFO) this.#index.replace(header, this.#pack, offset);
        else this.#index.insert(header, this.#pack, offset);
      }
    });
    this.#indexed += found.length;
    this.#found = [];
  }

  #damaged(offset: number, bytes: number): void {
    this.#event("damaged", offset, bytes);
  }

  #event(type: RecoveryEvent["type"], offset: number, bytes: number): void {
    this.events.push({ type, pack: this.#pack, offset, bytes, records: 0 });
  }
}

function readAt(file: PackFile, offset: number, length: number): Uint8Array {
  if (length > MAX_RECORD_PAYLOAD)
    throw new RangeError(`Cannot read ${length} bytes of a pack at once`);
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, file.read(bytes, offset));
}
