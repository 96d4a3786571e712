import { copyBytes, equalBytes } from "../bytes.js";
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
import { PackReader } from "./pack-reader.js";
import { describeRecord, openPayload } from "./record.js";

/** Which record is meant, and where the index says that it is. */
interface WantedRecord {
  readonly kind: RecordKind;
  readonly key: Uint8Array;
  readonly location: RecordLocation;
}

/** Reads records out of the packs and verifies each before it is given out. */
export class RecordReader {
  /** Where the records are read from. */
  readonly packs: PackReader;
  readonly #zstd: ZstdCodec;
  readonly #identityOf: (pack: number) => Uint8Array | undefined;
  readonly #identities = new Map<number, Uint8Array>();

  /** @param identityOf - what the index says of a pack */
  constructor(
    packsDirectory: string,
    zstd: ZstdCodec,
    identityOf: (pack: number) => Uint8Array | undefined,
  ) {
    this.packs = new PackReader(packsDirectory);
    this.#zstd = zstd;
    this.#identityOf = identityOf;
  }

  /**
   * The raw payload, checked against its key. It belongs to the caller. A short record comes at
   * once, without a promise: most are short, and reading them takes less than waiting for one.
   *
   * @throws {@link CastoreError} "CORRUPT", naming the record and the pack; or its promise rejects
   */
  read(
    kind: RecordKind,
    key: Uint8Array,
    location: RecordLocation,
  ): Uint8Array | Promise<Uint8Array> {
    const wanted = { kind, key, location };
    const { pack, offset, stored } = location;
    try {
      const range = this.packs.read(pack, offset, RECORD_HEADER_LENGTH + stored);
      if (range instanceof Promise) {
        return range.then(
          ({ bytes }) => this.#verified(wanted, bytes),
          (error: unknown) => {
            throw systemError(wanted, error);
          },
        );
      }
      if (!range.isFromMemory) return this.#verified(wanted, range.bytes);
      return this.#fromMemory(wanted, range.bytes);
    } catch (error) {
      throw systemError(wanted, error);
    }
  }

  close(): void {
    this.packs.close();
  }

  /** What is in memory may have been the end of a write that failed and was made again. */
  #fromMemory(wanted: WantedRecord, bytes: Uint8Array): Uint8Array {
    try {
      return this.#verified(wanted, bytes);
    } catch (error) {
      if (!CastoreError.is(error, "CORRUPT")) throw error;
      const { pack, offset, stored } = wanted.location;
      const fresh = this.packs.readNow(pack, offset, RECORD_HEADER_LENGTH + stored);
      return this.#verified(wanted, fresh);
    }
  }

  #verified(wanted: WantedRecord, bytes: Uint8Array): Uint8Array {
    const header = this.#headerOf(wanted, bytes);
    try {
      const payload = openPayload(header, bytes.subarray(RECORD_HEADER_LENGTH), this.#zstd);
      // Whoever gets it may keep it, and change it: it must not be a part of a block.
      const isShared =
        payload.buffer === bytes.buffer && bytes.byteLength < bytes.buffer.byteLength;
      return isShared ? copyBytes(payload) : payload;
    } catch (error) {
      if (!CastoreError.is(error, "CORRUPT")) throw error;
      throw corrupt(wanted, error.message, error);
    }
  }

  /** The header of a record that is what the index says, and all there. */
  #headerOf(wanted: WantedRecord, bytes: Uint8Array): RecordHeader {
    const { pack, offset, stored } = wanted.location;
    const identity = this.#identity(pack);
    const header = identity && readRecordHeader(bytes, 0, { identity, offset });
    if (
      header === undefined ||
      bytes.byteLength < RECORD_HEADER_LENGTH + stored ||
      !isAsIndexed(header, wanted)
    ) {
      throw corrupt(wanted, "there is no such record at its place");
    }
    return header;
  }

  #identity(pack: number): Uint8Array | undefined {
    const known = this.#identities.get(pack) ?? this.#identityOf(pack);
    if (known !== undefined) this.#identities.set(pack, known);
    return known;
  }
}

function isAsIndexed(header: RecordHeader, { kind, key, location }: WantedRecord): boolean {
  return (
    header.kind === kind &&
    header.storedLength === location.stored &&
    header.rawLength === location.raw &&
    equalBytes(header.key, key)
  );
}

function corrupt(
  { kind, key, location }: WantedRecord,
  what: string,
  cause?: unknown,
): CastoreError {
  return new CastoreError(
    "CORRUPT",
    `Cannot read ${describeRecord(kind, key)} in pack ${packFileName(location.pack)} at ${location.offset}: ${what}`,
    { cause },
  );
}

function systemError(wanted: WantedRecord, error: unknown): unknown {
  if (CastoreError.is(error)) return error;
  if (isNodeError(error, "ENOENT")) return corrupt(wanted, "the pack is gone", error);
  const { kind, key, location } = wanted;
  return fileError(
    error,
    `Cannot read ${describeRecord(kind, key)} in pack ${packFileName(location.pack)}`,
  );
}
