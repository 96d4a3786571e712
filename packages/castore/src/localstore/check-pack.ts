// The part of a check that looks at packs as files: their headers, and the bytes between the records
// that the index knows.
import fs from "node:fs";
import { equalBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import type { CheckFinding } from "./check.js";
import type { IndexReader } from "./index-database.js";
import type { IndexedPack, RecordPlace } from "./index-rows.js";
import { fileError } from "./layout.js";
import { packFileName } from "./pack-files.js";
import {
  encodePackHeader,
  PACK_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  type RecordHeader,
  readRecordHeader,
} from "./pack-format.js";
import { describeRecord, openPayload } from "./record.js";
import type { StoreCore } from "./store-core.js";

/**
 * Checks all of a pack that is not a record which the index knows.
 *
 * @param list - another connection to the index, which lists the records meanwhile
 */
export function* checkPack(
  core: StoreCore,
  index: IndexReader,
  list: IndexReader,
  { id, length, identity }: IndexedPack,
): Generator<CheckFinding, void, undefined> {
  if (length === 0) return;
  const pack = packFileName(id);
  const file = `${core.layout.packs}/${pack}`;
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined || size < length) {
    const what = size === undefined ? "is missing" : `has ${size} bytes instead of ${length}`;
    yield { type: "pack", pack, message: `Pack ${pack} ${what}` };
    return;
  }
  const fd = fs.openSync(file, "r");
  try {
    yield* new PackCheck(core, index, fd, id, identity).run(length, list.placesIn(id));
  } catch (error) {
    throw CastoreError.is(error) ? error : fileError(error, `Cannot read pack ${pack}`);
  } finally {
    fs.closeSync(fd);
  }
}

class PackCheck {
  readonly #core: StoreCore;
  readonly #index: IndexReader;
  readonly #fd: number;
  readonly #id: number;
  readonly #identity: Uint8Array | undefined;

  constructor(
    core: StoreCore,
    index: IndexReader,
    fd: number,
    id: number,
    identity: Uint8Array | undefined,
  ) {
    this.#identity = identity;
    this.#core = core;
    this.#index = index;
    this.#fd = fd;
    this.#id = id;
  }

  *run(length: number, places: Iterable<RecordPlace>): Generator<CheckFinding, void, undefined> {
    yield* this.#header();
    let end = PACK_HEADER_LENGTH;
    for (const { offset, stored } of places) {
      // Records behind the length have been added since that was read.
      if (offset >= length) break;
      yield* this.#between(end, offset);
      end = Math.max(end, offset + RECORD_HEADER_LENGTH + stored);
    }
    yield* this.#between(end, length);
  }

  *#header(): Generator<CheckFinding, void, undefined> {
    const identity = this.#identity;
    const header = this.#read(0, PACK_HEADER_LENGTH);
    if (identity !== undefined && equalBytes(header, encodePackHeader(identity))) return;
    const name = packFileName(this.#id);
    yield this.#finding(`Pack ${name} is damaged at 0: its header is not as it was written`);
  }

  /** What lies there can only be records that later ones have replaced. */
  *#between(start: number, end: number): Generator<CheckFinding, void, undefined> {
    for (let offset = start; offset < end; ) {
      const header = this.#soundRecord(offset, end);
      if (header === undefined) {
        const name = packFileName(this.#id);
        yield this.#finding(
          `Pack ${name} is damaged at ${offset}: ${end - offset} bytes are no sound record`,
        );
        return;
      }
      if (!this.#index.has(header.kind, header.key)) {
        const what = describeRecord(header.kind, header.key);
        yield this.#finding(`The ${what} at ${offset} is not in the index`);
      }
      offset += RECORD_HEADER_LENGTH + header.storedLength;
    }
  }

  #soundRecord(offset: number, limit: number): RecordHeader | undefined {
    if (this.#identity === undefined) return undefined;
    const position = { identity: this.#identity, offset };
    const header = readRecordHeader(this.#read(offset, RECORD_HEADER_LENGTH), 0, position);
    const start = offset + RECORD_HEADER_LENGTH;
    if (header === undefined || start + header.storedLength > limit) return undefined;
    try {
      openPayload(header, this.#read(start, header.storedLength), this.#core.zstd);
      return header;
    } catch (error) {
      if (CastoreError.is(error, "CORRUPT")) return undefined;
      throw error;
    }
  }

  #read(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const count = fs.readSync(this.#fd, bytes, filled, length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  #finding(message: string): CheckFinding {
    return { type: "pack", pack: packFileName(this.#id), message };
  }
}
