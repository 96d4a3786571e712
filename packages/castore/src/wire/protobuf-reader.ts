/**
 * A strict reader of the part of the protobuf wire format that castore messages use
 * (docs/formats/directory.md).
 *
 *     message = field*
 *     field   = tag varint | tag length byte{length}
 *     tag     = varint of number << 3 | wire type;  wire type 0 = varint, 2 = length
 *     varint  = 1 to 10 bytes, 7 bits each, the lowest first, high bit set on all but the last
 *
 * An ordinary protobuf reader accepts many encodings of one message. This one accepts the canonical
 * one only, so that bytes it has taken need no second encoding to be compared with: fields ascend,
 * every varint is as short as can be, and a field that holds its default value must not be there.
 * Lengths are compared with what is left before anything is made of them. It never recurses.
 */
import { WireError, type WireErrorReason } from "./wire-error.js";

/** Wire type of integers and booleans. */
export const WIRE_VARINT = 0;
/** Wire type of byte strings and embedded messages. */
export const WIRE_LENGTH = 2;

/** The fields of a message: what {@link ProtobufReader.field} lets through. */
export interface MessageSchema {
  readonly name: string;
  /** Wire type by field number; index 0 is unused. */
  readonly wireTypes: readonly (number | undefined)[];
  /** Whether a field may come several times in a row. */
  readonly repeated: boolean;
}

const MAX_TAG = 0xffff_ffff;
const MAX_VARINT_LENGTH = 10;
/** Bytes of a varint whose bits fit a double exactly; the other three go to the high part. */
const LOW_LENGTH = 7;
const LOW_BITS = 49n;

/** @internal */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #end: number;
  /** Bits 49 and up of the varint read last. */
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.byteLength;
  }

  /** Where the next byte is. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether the current message has been read to its end. */
  get atEnd(): boolean {
    return this.#offset >= this.#end;
  }

  /**
   * Reads a tag and checks that `schema` has such a field and that it may come here.
   *
   * @param previous - number of the field before it, 0 when it is the first
   * @returns the number of the field
   */
  field(schema: MessageSchema, previous: number): number {
    const start = this.#offset;
    const tag = this.#varint();
    if (this.#high !== 0 || tag > MAX_TAG || tag < 8) this.#fail("malformed", "invalid tag", start);
    const number = Math.floor(tag / 8);
    const wireType = schema.wireTypes[number];
    if (wireType === undefined) {
      this.#fail("not-canonical", `unknown field ${number} of ${schema.name}`, start);
    }
    if (wireType !== tag % 8) {
      this.#fail("malformed", `wrong wire type of field ${number} of ${schema.name}`, start);
    }
    if (number < previous || (number === previous && !schema.repeated)) {
      const state = number === previous ? "repeated" : `out of order after ${previous}`;
      this.#fail("not-canonical", `field ${number} of ${schema.name} is ${state}`, start);
    }
    return number;
  }

  /**
   * Begins an embedded message: until {@link leave}, its end is the end.
   *
   * @returns what `leave` must be given
   */
  enter(): number {
    const outerEnd = this.#end;
    const length = this.#length();
    this.#end = this.#offset + length;
    return outerEnd;
  }

  /** Goes back to the message around the one that has been read to its end. */
  leave(outerEnd: number): void {
    this.#end = outerEnd;
  }

  /**
   * Reads past a byte string. Never an empty one, for empty is the default.
   *
   * @returns where it starts in the input; it ends at {@link offset}
   */
  bytes(): number {
    const start = this.#offset;
    const length = this.#length();
    if (length === 0) this.#fail("not-canonical", "explicit default (empty bytes)", start);
    const from = this.#offset;
    this.#offset += length;
    return from;
  }

  /** An unsigned 64-bit integer. Never 0, for 0 is the default. */
  uint64(): bigint {
    const start = this.#offset;
    const low = this.#varint();
    if (this.#high !== 0) return BigInt(low) + (BigInt(this.#high) << LOW_BITS);
    if (low === 0) this.#fail("not-canonical", "explicit default (0)", start);
    return BigInt(low);
  }

  /** A boolean. Never false, for false is the default. */
  bool(): true {
    const start = this.#offset;
    const low = this.#varint();
    if (low === 0 && this.#high === 0)
      this.#fail("not-canonical", "explicit default (false)", start);
    if (low !== 1 || this.#high !== 0) this.#fail("not-canonical", "boolean other than 1", start);
    return true;
  }

  #length(): number {
    const start = this.#offset;
    const length = this.#varint();
    if (this.#high !== 0 || length > this.#end - this.#offset) {
      this.#fail("malformed", "length runs past the end", start);
    }
    return length;
  }

  /** Bits 0 to 48 are returned, the others left in `#high`. */
  #varint(): number {
    const start = this.#offset;
    this.#high = 0;
    const first = this.#bytes[start] as number;
    if (first < 0x80 && start < this.#end) {
      this.#offset = start + 1;
      return first;
    }
    let low = 0;
    for (let i = 0, scale = 1; i < MAX_VARINT_LENGTH; i++, scale *= 128) {
      if (this.#offset >= this.#end) this.#fail("malformed", "truncated", start);
      const byte = this.#bytes[this.#offset++] as number;
      if (i === LOW_LENGTH) scale = 1;
      if (i < LOW_LENGTH) low += (byte & 0x7f) * scale;
      else this.#high += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && i > 0) this.#fail("not-canonical", "varint is not minimal", start);
        if (i === MAX_VARINT_LENGTH - 1 && byte > 1) break;
        return low;
      }
    }
    this.#fail("malformed", "varint exceeds 64 bits", start);
  }

  #fail(reason: WireErrorReason, what: string, offset: number): never {
    throw new WireError(reason, `${what} at byte ${offset}`);
  }
}
