/**
 * A strict reader of the protobuf wire format, for messages that are kept as bytes.
 *
 *     message = field*
 *     field   = tag varint | tag length byte{length}
 *     tag     = varint of number << 3 | wire type;  wire type 0 = varint, 2 = length
 *     varint  = 1 to 10 bytes, 7 bits each, the lowest first, high bit set on all but the last
 *
 * It takes what deterministic encoders write and nothing else: fields ascend, varints are as short as
 * can be, a single number or byte string that is zero or empty is not there. Elements of a repeated
 * field, and embedded messages, may be empty. Nothing is copied; nothing recurses.
 */
import { InvalidPathInfoError } from "../path-info.js";

/** What a field of a message is. */
type FieldKind =
  /** A number that is not 0. */
  | "varint"
  /** Bytes or text that are not empty. */
  | "bytes"
  /** An embedded message. */
  | "message"
  /** Any number of byte strings, texts or messages. */
  | "repeated";

/** Kinds of the fields of a message, by their number. */
export type MessageFields = Readonly<Record<number, FieldKind>>;

const WIRE_VARINT = 0;
const WIRE_LENGTH = 2;
/** Longest varint: 64 bits. */
const MAX_VARINT_BYTES = 10;

/** @internal */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #fields: MessageFields;
  #offset = 0;
  #previous = 0;

  constructor(bytes: Uint8Array, fields: MessageFields) {
    this.#bytes = bytes;
    this.#fields = fields;
  }

  /**
   * Goes to the next field.
   *
   * @returns its number; `undefined` at the end
   * @throws {@link InvalidPathInfoError} "malformed" or "not-canonical", like the other methods
   */
  next(): number | undefined {
    if (this.#offset === this.#bytes.byteLength) return undefined;
    const tag = Number(this.varint());
    const number = Math.floor(tag / 8);
    if (number === 0 || tag > 0xffff_ffff) throw this.#refusal("malformed", "invalid tag");
    const kind = this.#fields[number];
    if (kind === undefined) throw this.#refusal("not-canonical", `unknown field ${number}`);
    if (tag % 8 !== (kind === "varint" ? WIRE_VARINT : WIRE_LENGTH)) {
      throw this.#refusal("malformed", `field ${number} has the wrong wire type`);
    }
    if (number < this.#previous || (number === this.#previous && kind !== "repeated")) {
      throw this.#refusal("not-canonical", `field ${number} after ${this.#previous}`);
    }
    this.#previous = number;
    return number;
  }

  /** The number in the current field; never 0 where that is the default. */
  number(): bigint {
    const value = this.varint();
    if (value === 0n) throw this.#refusal("not-canonical", "an explicit default");
    return value;
  }

  /** The bytes in the current field, in the memory of the input. */
  bytes(): Uint8Array {
    const length = this.varint();
    if (length > BigInt(this.#bytes.byteLength - this.#offset)) {
      throw this.#refusal("malformed", "a length runs past the end");
    }
    if (length === 0n && this.#fields[this.#previous] === "bytes") {
      throw this.#refusal("not-canonical", "an explicit default");
    }
    const start = this.#offset;
    this.#offset += Number(length);
    return this.#bytes.subarray(start, this.#offset);
  }

  /** An unsigned 64-bit integer. */
  varint(): bigint {
    let value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#bytes[this.#offset];
      if (byte === undefined) throw this.#refusal("malformed", "it ends within a number");
      this.#offset++;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 0) throw this.#refusal("not-canonical", "a number is not minimal");
      if (value >> 64n !== 0n) break;
      return value;
    }
    throw this.#refusal("malformed", "a number exceeds 64 bits");
  }

  #refusal(reason: "malformed" | "not-canonical", what: string): InvalidPathInfoError {
    const state =
      reason === "malformed"
        ? "it is not a protobuf message"
        : "its encoding is not the canonical one";
    return new InvalidPathInfoError(reason, `${state}: ${what}`);
  }
}
