// The payload of a record for a named value: spaceLength:u8 nameLength:u16 space name value, the space
// and the name in UTF-8, the number little-endian. Its key is the BLAKE3 digest of all but the value.
import type { CallOptions } from "../blobservice/blob-service.js";
import { concatBytes, equalBytes, plainBytes, toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { RecordKind } from "./pack-format.js";
import type { NamedValues, ValueChange } from "./record-store.js";
import type { StoreCore } from "./store-core.js";
import { updateRecord } from "./update-record.js";

/** Bytes of the two lengths. */
const LENGTHS = 3;

/** Longest space and longest name in bytes, by their lengths in the payload. */
const MAX_SPACE = 0xff;
const MAX_NAME = 0xffff;

/** The named values of one space. */
export class LocalNamedValues implements NamedValues {
  readonly #core: StoreCore;
  readonly #space: string;

  constructor(core: StoreCore, space: string) {
    this.#core = core;
    this.#space = space;
  }

  async get(name: string, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    options.signal?.throwIfAborted();
    const head = encodeHead(this.#space, name);
    const key = keyOf(head);
    const payload = await this.#core.read(RecordKind.NAMED, key);
    return payload && plainBytes(decodeNamedValue(payload, key));
  }

  async put(name: string, value: Uint8Array, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const head = encodeHead(this.#space, name);
    const payload = concatBytes([head, value]);
    await this.#core.storeKeyed(RecordKind.NAMED, keyOf(head), payload, options.signal);
  }

  async update(name: string, change: ValueChange, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const head = encodeHead(this.#space, name);
    const key = keyOf(head);
    const changePayload: ValueChange = (payload) => {
      const value = change(payload && plainBytes(decodeNamedValue(payload, key)));
      return value && concatBytes([head, value]);
    };
    const { signal } = options;
    await updateRecord(this.#core, RecordKind.NAMED, { key, change: changePayload, signal });
  }
}

/**
 * The value in the payload of a record.
 *
 * @param key - of the record
 * @throws {@link CastoreError} "CORRUPT" when the payload is that of another key
 */
export function decodeNamedValue(payload: Uint8Array, key: Uint8Array): Uint8Array {
  const [space = 0, low = 0, high = 0] = payload;
  const headLength = LENGTHS + space + low + 0x100 * high;
  const isWhole = payload.byteLength >= headLength;
  if (isWhole && equalBytes(keyOf(payload.subarray(0, headLength)), key)) {
    return payload.subarray(headLength);
  }
  throw new CastoreError("CORRUPT", "Cannot read a named value: it is that of another name");
}

function encodeHead(space: string, name: string): Uint8Array {
  const [spaceBytes, nameBytes] = [toUtf8(space), toUtf8(name)];
  if (spaceBytes.byteLength > MAX_SPACE || nameBytes.byteLength > MAX_NAME) {
    throw new RangeError(
      `Invalid name of a value: ${spaceBytes.byteLength} and ${nameBytes.byteLength} bytes, at most ${MAX_SPACE} and ${MAX_NAME}`,
    );
  }
  const lengths = Uint8Array.of(
    spaceBytes.byteLength,
    nameBytes.byteLength & 0xff,
    nameBytes.byteLength >> 8,
  );
  return concatBytes([lengths, spaceBytes, nameBytes]);
}

function keyOf(head: Uint8Array): Uint8Array {
  return blake3(head).toBytes();
}
