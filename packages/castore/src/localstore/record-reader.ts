import fs from "node:fs";
import path from "node:path";
import { equalBytes } from "../bytes.js";
import { CastoreError } from "../errors.js";
import type { ZstdCodec } from "./compression.js";
import type { RecordLocation } from "./index-rows.js";
import { fileError, isNodeError } from "./layout.js";
import { packFileName } from "./pack-files.js";
import {
  RECORD_HEADER_LENGTH,
  type RecordHeader,
  type RecordKind,
  readRecordHeader,
} from "./pack-format.js";
import { describeRecord, openPayload } from "./record.js";

/**
 * Records up to this size are read with a blocking call: from the page cache that takes 5 to 10
 * microseconds, a tenth of the way through the thread pool.
 */
const BLOCKING_READ_BYTES = 32 * 1024;

/** Most packs that are kept open. */
const MAX_OPEN_PACKS = 64;

/** A pack that is open; its number must not be closed, and given to another file, during a read. */
interface OpenPack {
  readonly fd: number;
  readonly identity: Uint8Array;
  reads: number;
  isRetired: boolean;
}

/** Reads records out of the packs and verifies each before it is given out. */
export class RecordReader {
  readonly #directory: string;
  readonly #zstd: ZstdCodec;
  readonly #identityOf: (pack: number) => Uint8Array | undefined;
  readonly #open = new Map<number, OpenPack>();

  /** @param identityOf - what the index says of a pack */
  constructor(
    packsDirectory: string,
    zstd: ZstdCodec,
    identityOf: (pack: number) => Uint8Array | undefined,
  ) {
    this.#directory = packsDirectory;
    this.#identityOf = identityOf;
    this.#zstd = zstd;
  }

  /**
   * The raw payload, checked against its key.
   *
   * @throws {@link CastoreError} "CORRUPT", naming the record and the pack
   */
  async read(kind: RecordKind, key: Uint8Array, location: RecordLocation): Promise<Uint8Array> {
    const bytes = new Uint8Array(RECORD_HEADER_LENGTH + location.stored);
    const pack = this.#packOf(kind, key, location);
    const filled = await this.#fill(pack, kind, key, bytes, location);
    const header = readRecordHeader(bytes, 0, { ...location, identity: pack.identity });
    if (
      filled < bytes.byteLength ||
      header === undefined ||
      !isAsIndexed(header, kind, key, location)
    ) {
      throw this.#corrupt(kind, key, location, "there is no such record at its place");
    }
    try {
      return openPayload(header, bytes.subarray(RECORD_HEADER_LENGTH), this.#zstd);
    } catch (error) {
      if (!CastoreError.is(error, "CORRUPT")) throw error;
      throw this.#corrupt(kind, key, location, error.message, error);
    }
  }

  /** Closes the packs, those that are being read as soon as that is done. */
  close(): void {
    for (const pack of this.#open.values()) retire(pack);
    this.#open.clear();
  }

  async #fill(
    pack: OpenPack,
    kind: RecordKind,
    key: Uint8Array,
    bytes: Uint8Array,
    location: RecordLocation,
  ): Promise<number> {
    pack.reads++;
    try {
      let filled = 0;
      while (filled < bytes.byteLength) {
        const length = bytes.byteLength - filled;
        const at = location.offset + filled;
        const count =
          bytes.byteLength <= BLOCKING_READ_BYTES
            ? fs.readSync(pack.fd, bytes, filled, length, at)
            : await readAsync(pack.fd, bytes, filled, at);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    } catch (error) {
      throw fileError(
        error,
        `Cannot read ${describeRecord(kind, key)} in pack ${packFileName(location.pack)}`,
      );
    } finally {
      pack.reads--;
      if (pack.isRetired) retire(pack);
    }
  }

  #packOf(kind: RecordKind, key: Uint8Array, location: RecordLocation): OpenPack {
    const known = this.#open.get(location.pack);
    if (known !== undefined) return known;
    const identity = this.#identityOf(location.pack);
    if (identity === undefined) {
      throw this.#corrupt(kind, key, location, "the index does not know the pack");
    }
    let fd: number;
    try {
      fd = fs.openSync(path.join(this.#directory, packFileName(location.pack)), "r");
    } catch (error) {
      if (isNodeError(error, "ENOENT"))
        throw this.#corrupt(kind, key, location, "the pack is gone", error);
      throw fileError(error, `Cannot open pack ${packFileName(location.pack)}`);
    }
    if (this.#open.size >= MAX_OPEN_PACKS) this.#retireOldest();
    const pack = { fd, identity, reads: 0, isRetired: false };
    this.#open.set(location.pack, pack);
    return pack;
  }

  #retireOldest(): void {
    for (const [id, pack] of this.#open) {
      this.#open.delete(id);
      retire(pack);
      return;
    }
  }

  #corrupt(
    kind: RecordKind,
    key: Uint8Array,
    location: RecordLocation,
    what: string,
    cause?: unknown,
  ): CastoreError {
    return new CastoreError(
      "CORRUPT",
      `Cannot read ${describeRecord(kind, key)} in pack ${packFileName(location.pack)} at ${location.offset}: ${what}`,
      { cause },
    );
  }
}

function retire(pack: OpenPack): void {
  pack.isRetired = true;
  if (pack.reads === 0) fs.closeSync(pack.fd);
}

function isAsIndexed(
  header: RecordHeader,
  kind: RecordKind,
  key: Uint8Array,
  location: RecordLocation,
): boolean {
  return (
    header.kind === kind &&
    header.storedLength === location.stored &&
    header.rawLength === location.raw &&
    equalBytes(header.key, key)
  );
}

function readAsync(
  fd: number,
  bytes: Uint8Array,
  offset: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, bytes, offset, bytes.byteLength - offset, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}
