import { equalBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import type { ZstdCodec } from "./compression.js";
import type { IndexWriter } from "./index-database.js";
import type { IndexedPack } from "./index-rows.js";
import type { PackFile, PackFiles } from "./pack-files.js";
import {
  decodePackHeader,
  encodePackHeader,
  isReplaceable,
  MAX_RECORD_PAYLOAD,
  PACK_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  RECORD_MAGIC_BYTES,
  type RecordHeader,
  readRecordHeader,
} from "./pack-format.js";
import { openPayload } from "./record.js";

/** Something that opening the store found and dealt with. */
export interface RecoveryEvent {
  /**
   * - `tail-indexed`: whole records behind what the index knew were added to it.
   * - `tail-cut`: an incomplete record at the end of a pack was cut off: a write that had not ended.
   * - `damaged`: bytes inside a pack are not sound records; they are left alone and not indexed.
   * - `pack-short`: a pack is gone or shorter than the index says: what it lost is forgotten, and
   *   nothing is appended to it any more.
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
 * know are indexed, the torn end of an interrupted write is cut off, records that are gone are
 * forgotten, so that their content is stored anew when it comes again. With an empty index this
 * rebuilds it from the packs alone. Costs one `stat` a pack when there is nothing to do.
 *
 * @throws {@link CastoreError} "UNSUPPORTED" for a pack of a newer version
 */
export function reconcile(index: IndexWriter, files: PackFiles, zstd: ZstdCodec): RecoveryEvent[] {
  const known = new Map(index.packs().map((pack) => [pack.id, pack]));
  const ids = files.list();
  const events: RecoveryEvent[] = [];
  for (const id of ids) {
    const file = files.open(id);
    try {
      events.push(...reconcilePack(index, file, known.get(id), id, id === ids.at(-1), zstd));
    } finally {
      file.close();
    }
  }
  for (const pack of known.values()) {
    if (!ids.includes(pack.id) && pack.length > 0) events.push(shortenPack(index, pack, 0));
  }
  return events;
}

function reconcilePack(
  index: IndexWriter,
  file: PackFile,
  known: IndexedPack | undefined,
  id: number,
  isLast: boolean,
  zstd: ZstdCodec,
): RecoveryEvent[] {
  const pack = known ?? { id, length: 0, sealed: false, identity: undefined };
  const size = file.size();
  if (size < pack.length) return [shortenPack(index, pack, size)];
  if (known !== undefined && size === pack.length) return [];
  const header = readAt(file, 0, PACK_HEADER_LENGTH);
  const identity = pack.length > 0 ? pack.identity : (identityIn(header, id) ?? pack.identity);
  if (pack.length === 0 && size <= PACK_HEADER_LENGTH) return dropPack(index, file, pack, size);
  if (identity === undefined) return giveUpPack(index, pack, size);
  // Records are acknowledged by being in the index, and only what is durable may be. A process that
  // was killed may have left them to the system's memory alone.
  file.sync();
  const scan = new PackScan(index, file, { id, identity, size }, zstd);
  const isWhole = pack.length > 0 || equalBytes(header, encodePackHeader(identity));
  const mayCut = isWhole && isLast;
  const end = scan.run(isWhole ? Math.max(pack.length, PACK_HEADER_LENGTH) : 0, mayCut);
  index.commit(() => index.savePack({ id, length: end, sealed: !mayCut, identity }));
  return scan.events;
}

function identityIn(header: Uint8Array, id: number): Uint8Array | undefined {
  try {
    return decodePackHeader(header, id);
  } catch (error) {
    if (CastoreError.is(error, "CORRUPT")) return undefined;
    throw error;
  }
}

/**
 * A pack whose header and the copy of it are lost, and that the index did not know: its records
 * cannot be told from content that looks like records.
 */
function giveUpPack(index: IndexWriter, pack: IndexedPack, size: number): RecoveryEvent[] {
  index.commit(() => index.savePack({ ...pack, length: size, sealed: true }));
  return [
    { type: "damaged", pack: pack.id, offset: pack.length, bytes: size - pack.length, records: 0 },
  ];
}

/** Forgets what a pack has lost. */
function shortenPack(index: IndexWriter, pack: IndexedPack, size: number): RecoveryEvent {
  index.commit(() => {
    const length = index.forgetBehind(pack.id, size);
    index.savePack({ ...pack, length: Math.min(length, size), sealed: true });
  });
  const bytes = pack.length - size;
  return { type: "pack-short", pack: pack.id, offset: size, bytes, records: 0 };
}

/**
 * A pack that was being made: no record was ever in it. Its header may not be durable, so it is not
 * used; the next pack gets a number of its own.
 */
function dropPack(
  index: IndexWriter,
  file: PackFile,
  pack: IndexedPack,
  size: number,
): RecoveryEvent[] {
  index.commit(() => index.savePack({ ...pack, length: 0, sealed: true }));
  file.truncate(0);
  return size === 0
    ? []
    : [{ type: "tail-cut", pack: pack.id, offset: 0, bytes: size, records: 0 }];
}

/** A part of a pack in memory. */
interface Window {
  readonly base: number;
  readonly bytes: Uint8Array;
}

/** Walks over the part of a pack that the index does not know. */
class PackScan {
  readonly events: RecoveryEvent[] = [];
  readonly #index: IndexWriter;
  readonly #file: PackFile;
  readonly #pack: number;
  readonly #identity: Uint8Array;
  readonly #size: number;
  readonly #zstd: ZstdCodec;
  #window: Window = { base: 0, bytes: new Uint8Array(0) };
  #found: { header: RecordHeader; offset: number }[] = [];
  #indexed = 0;

  constructor(
    index: IndexWriter,
    file: PackFile,
    pack: { readonly id: number; readonly identity: Uint8Array; readonly size: number },
    zstd: ZstdCodec,
  ) {
    this.#index = index;
    this.#file = file;
    this.#pack = pack.id;
    this.#identity = pack.identity;
    this.#size = pack.size;
    this.#zstd = zstd;
  }

  /**
   * @param mayCut - whether what follows the last sound record is a write that had not ended
   * @returns where the pack ends now
   */
  run(start: number, mayCut: boolean): number {
    let end = start;
    for (let offset = start; offset < this.#size; ) {
      const header = this.#headerAt(offset);
      const next = header && this.#endOf(header, offset);
      if (header !== undefined && next !== undefined && this.#isSound(header, offset)) {
        if (offset > end) this.#event("damaged", end, offset - end);
        this.#keep(header, offset);
        end = next;
      }
      offset = next ?? this.#nextHeader(offset + 1) ?? this.#size;
    }
    if (end < this.#size) end = this.#endAt(end, mayCut);
    this.#commit();
    if (this.#indexed > 0) {
      const bytes = end - start;
      const records = this.#indexed;
      this.events.push({ type: "tail-indexed", pack: this.#pack, offset: start, bytes, records });
    }
    return end;
  }

  #headerAt(offset: number): RecordHeader | undefined {
    const position = { identity: this.#identity, offset };
    return readRecordHeader(readAt(this.#file, offset, RECORD_HEADER_LENGTH), 0, position);
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
    for (let position = start; position < this.#size; ) {
      const window = this.#windowAt(position);
      const at = window.bytes.indexOf(first, position - window.base);
      position = window.base + (at === -1 ? window.bytes.byteLength : at);
      if (at === -1) continue;
      // A header that is cut in two lies in the next window.
      const { base, bytes } = this.#windowAt(position);
      const header = readRecordHeader(bytes, position - base, {
        identity: this.#identity,
        offset: position,
      });
      if (header !== undefined && this.#endOf(header, position) !== undefined) return position;
      position++;
    }
    return undefined;
  }

  /** A part of the pack with room for a header at `position`, where the pack has that room. */
  #windowAt(position: number): Window {
    const { base, bytes } = this.#window;
    const end = base + bytes.byteLength;
    const isInside = position >= base && position + RECORD_HEADER_LENGTH <= end;
    if (!isInside && !(position >= base && end === this.#size)) {
      const length = Math.min(SCAN_WINDOW, this.#size - position);
      this.#window = { base: position, bytes: readAt(this.#file, position, length) };
    }
    return this.#window;
  }

  #endAt(offset: number, mayCut: boolean): number {
    if (!mayCut) {
      this.#event("damaged", offset, this.#size - offset);
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
        if (isReplaceable(header.kind)) this.#index.replace(header, this.#pack, offset);
        else this.#index.insert(header, this.#pack, offset);
      }
    });
    this.#indexed += found.length;
    this.#found = [];
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
