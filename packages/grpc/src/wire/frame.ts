/**
 * Length-prefixed messages of gRPC: `flags (1 byte) length (4 bytes, big endian) message`, one after
 * the other, cut into DATA frames anywhere. Bit 0 of the flags says that the message is compressed.
 * Source: "gRPC over HTTP2", section "Requests", of the gRPC authors.
 */

import { create, type DescMessage, isMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { byteFieldsOf, encodeByteFields } from "./byte-fields.js";

/**
 * Parts below this size are put together once there are many of them: a peer that sends a message byte by
 * byte would otherwise make us hold an object for each.
 */
const SMALL_PART = 4096;
const MAX_SMALL_PARTS = 64;

/** Messages from this length on are collected in shared memory, where that is wanted. */
const MIN_SHARED_BYTES = 64 * 1024;

/** A message with its header, as one or more byte strings to be written in a row. */
export type EncodedMessage = readonly [Buffer, ...Uint8Array[]];

/** One message as it came in: still encoded, and still compressed where `compressed`. */
export interface RawMessage {
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
}

/** Bytes in front of each message. */
export const FRAME_HEADER_LEN = 5;

/** Messages up to this size are copied behind their header: one write is cheaper than two. */
const COPY_LIMIT = 16 * 1024;

/**
 * Encodes a message of `schema` with its header, as byte strings to be written in a row. Long byte strings in
 * it may be sent from where they are: they must stay as they are until they have been.
 *
 * @throws ConnectError with ResourceExhausted when the message is larger than `maxBytes`
 */
export function encodeMessage(
  schema: DescMessage,
  message: unknown,
  maxBytes: number,
): EncodedMessage {
  const fields = byteFieldsOf(schema, message);
  if (fields !== undefined) {
    checkLength(schema, fields.length, maxBytes);
    const parts = encodeByteFields(fields, FRAME_HEADER_LEN);
    writeHeader(parts[0], fields.length);
    return parts;
  }
  const encoded = toBinary(schema, toMessage(schema, message));
  const length = encoded.byteLength;
  checkLength(schema, length, maxBytes);
  const copied = length <= COPY_LIMIT;
  const head = Buffer.allocUnsafe(FRAME_HEADER_LEN + (copied ? length : 0));
  writeHeader(head, length);
  if (!copied) {
    return [head, encoded];
  }
  head.set(encoded, FRAME_HEADER_LEN);
  return [head];
}

function checkLength(schema: DescMessage, length: number, maxBytes: number): void {
  if (length > maxBytes) {
    throw new ConnectError(
      `Cannot send ${schema.typeName}: ${length} bytes, the limit is ${maxBytes}`,
      Code.ResourceExhausted,
    );
  }
}

function writeHeader(head: Buffer, length: number): void {
  head[0] = 0;
  head.writeUInt32BE(length, 1);
}

function toMessage(schema: DescMessage, message: unknown): Message {
  // Handlers and callers may give plain objects; their types were checked against the schema.
  return isMessage(message, schema) ? message : create(schema, message as never);
}

/**
 * Cuts the bytes of a stream into messages. Every byte is copied at most once; a message that lies in one
 * DATA frame is passed on as a view of it.
 */
export class Deframer {
  readonly #maxBytes: number;
  readonly #onMessage: (message: RawMessage) => void;
  readonly #shared: boolean;
  #parts: Buffer[] = [];
  #held = 0;
  /** How many parts at the end are small. */
  #small = 0;

  /** @param shared - whether long messages go to memory that threads can share, where they need no copy */
  constructor(maxBytes: number, onMessage: (message: RawMessage) => void, shared = false) {
    this.#maxBytes = maxBytes;
    this.#onMessage = onMessage;
    this.#shared = shared;
  }

  /** Whether a message has begun and is not complete. */
  get partial(): boolean {
    return this.#held > 0;
  }

  /** @throws ConnectError with ResourceExhausted when a message announces more than the limit. */
  push(chunk: Buffer): void {
    if (this.#held === 0) {
      const rest = this.#whole(chunk);
      if (rest !== undefined) {
        this.#hold(rest);
      }
      return;
    }
    this.#hold(chunk);
    const need = this.#need();
    if (need !== undefined && this.#held >= need) {
      this.#complete(need);
    }
  }

  /** Passes on the messages that lie in `chunk` as a whole. Returns what is left. */
  #whole(chunk: Buffer): Buffer | undefined {
    let offset = 0;
    while (chunk.length - offset >= FRAME_HEADER_LEN) {
      const end = offset + FRAME_HEADER_LEN + this.#length(chunk, offset);
      if (end > chunk.length) {
        break;
      }
      const compressed = isCompressed(chunk, offset);
      this.#onMessage({ compressed, bytes: chunk.subarray(offset + FRAME_HEADER_LEN, end) });
      offset = end;
    }
    return offset === chunk.length ? undefined : chunk.subarray(offset);
  }

  #hold(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    this.#small = chunk.length < SMALL_PART ? this.#small + 1 : 0;
    if (this.#small >= MAX_SMALL_PARTS) {
      const merged = Buffer.concat(this.#parts.splice(-MAX_SMALL_PARTS));
      this.#parts.push(merged);
      this.#small = merged.length < SMALL_PART ? 1 : 0;
    }
    // The limit is checked as soon as the header is there, before the message is collected.
    this.#need();
  }

  /** Bytes of the message begun, with its header; `undefined` while the header is not complete. */
  #need(): number | undefined {
    if (this.#held < FRAME_HEADER_LEN) {
      return undefined;
    }
    return FRAME_HEADER_LEN + this.#length(this.#first(), 0);
  }

  /** The first part, made long enough to hold the header. */
  #first(): Buffer {
    let first = this.#parts[0];
    if (first === undefined || first.length < FRAME_HEADER_LEN) {
      first = Buffer.concat(this.#parts);
      this.#parts = [first];
    }
    return first;
  }

  #complete(need: number): void {
    const compressed = isCompressed(this.#first(), 0);
    const message = this.#allocate(need - FRAME_HEADER_LEN);
    let skip = FRAME_HEADER_LEN;
    let filled = 0;
    let rest: Buffer | undefined;
    for (const part of this.#parts) {
      const taken = part.copy(message, filled, skip);
      filled += taken;
      // Only the last part reaches beyond the message: push() looks after each one.
      rest = skip + taken < part.length ? part.subarray(skip + taken) : undefined;
      skip = 0;
    }
    this.#parts = [];
    this.#held = 0;
    this.#small = 0;
    this.#onMessage({ compressed, bytes: message });
    if (rest !== undefined) {
      this.push(rest);
    }
  }

  #allocate(length: number): Buffer {
    return this.#shared && length >= MIN_SHARED_BYTES
      ? Buffer.from(new SharedArrayBuffer(length))
      : Buffer.allocUnsafeSlow(length);
  }

  #length(bytes: Buffer, offset: number): number {
    const length = bytes.readUInt32BE(offset + 1);
    if (length > this.#maxBytes) {
      throw new ConnectError(
        `Cannot receive message: ${length} bytes, the limit is ${this.#maxBytes}`,
        Code.ResourceExhausted,
      );
    }
    return length;
  }
}

function isCompressed(bytes: Buffer, offset: number): boolean {
  const flags = bytes[offset] as number;
  if (flags > 1) {
    throw new ConnectError(
      `Cannot receive message: flags ${flags} are not those of gRPC`,
      Code.Internal,
    );
  }
  return flags === 1;
}
