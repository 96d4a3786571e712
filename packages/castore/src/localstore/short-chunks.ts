import { type B3Digest, DIGEST_LENGTH } from "../digest.js";
import type { IndexReader } from "./index-database.js";
import type { RecordLocation } from "./index-rows.js";
import { RecordKind } from "./pack-format.js";
import type { RecordReader, WantedRecord } from "./record-reader.js";

/** The content of many chunks. */
export interface ShortChunks {
  /** Of each chunk that was asked for; -1 for what has to be asked for alone, or is not there. */
  readonly lengths: Int32Array<ArrayBuffer>;
  /** The content of the others, one behind the other. */
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Where chunks are found and read. */
export interface ChunkSources {
  readonly index: IndexReader;
  readonly records: RecordReader;
}

/** Which chunks are wanted. */
export interface WantedChunks {
  /** Digests, one behind the other. */
  readonly keys: Uint8Array<ArrayBuffer>;
  /** Longest content, in bytes. */
  readonly maxLength: number;
  /** Longest record as it is stored, in bytes: reading it blocks. */
  readonly maxStored: number;
}

/**
 * Reads what is short among many chunks, each checked, into one piece of memory.
 *
 * @throws {@link CastoreError} "CORRUPT"
 */
export function readShortChunks(
  { index, records }: ChunkSources,
  { keys, maxLength, maxStored }: WantedChunks,
): ShortChunks {
  const count = keys.byteLength / DIGEST_LENGTH;
  const lengths = new Int32Array(count).fill(-1);
  const locations: (RecordLocation | undefined)[] = [];
  let total = 0;
  let last: RecordLocation | undefined;
  for (let i = 0; i < count; i++) {
    const key = keyAt(keys, i);
    const location =
      (last && records.next(last, RecordKind.CHUNK, key)) ?? index.find(RecordKind.CHUNK, key);
    last = location ?? last;
    if (location === undefined || location.raw > maxLength || location.stored > maxStored) continue;
    locations[i] = location;
    lengths[i] = location.raw;
    total += location.raw;
  }
  const content = new Uint8Array(total);
  let end = 0;
  for (let i = 0; i < count; i++) {
    const location = locations[i];
    if (location === undefined) continue;
    const wanted = { kind: RecordKind.CHUNK, key: keyAt(keys, i), location };
    if (read({ index, records }, wanted, content.subarray(end, end + location.raw))) {
      end += location.raw;
    } else {
      lengths[i] = -1;
    }
  }
  return { lengths, content };
}

/**
 * Reads a record that was found behind another, or by the index.
 *
 * @returns whether it could be read; if not, the index knows of another place or of none, because
 *   this one is damaged
 */
function read({ index, records }: ChunkSources, wanted: WantedRecord, target: Uint8Array): boolean {
  try {
    records.readInto(wanted, target);
    return true;
  } catch (error) {
    const indexed = index.find(wanted.kind, wanted.key);
    const { pack, offset } = wanted.location;
    if (indexed?.pack === pack && indexed.offset === offset) throw error;
    return false;
  }
}

function keyAt(keys: Uint8Array, index: number): Uint8Array {
  return keys.subarray(index * DIGEST_LENGTH, (index + 1) * DIGEST_LENGTH);
}

/** Digests, one behind the other. */
export function joinDigests(digests: readonly B3Digest[]): Uint8Array<ArrayBuffer> {
  const keys = new Uint8Array(digests.length * DIGEST_LENGTH);
  digests.forEach((digest, i) => {
    digest.writeTo(keys, i * DIGEST_LENGTH);
  });
  return keys;
}
