/**
 * A look at an encoded message before it is decoded. Four megabytes can hold two million empty fields, and
 * decoding those takes seconds and a gigabyte: the length of a message says little of what it costs.
 *
 * Encoding: protobuf.dev/programming-guides/encoding. What is malformed is left to the decoder.
 */

import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

/** What a message within a message costs, in fields: it becomes an object. */
const MESSAGE_COST = 4;

/** A field takes at least two bytes, so a message costs at most so much for each of its bytes. */
const MAX_COST_PER_BYTE = MESSAGE_COST / 2;

const WIRE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/**
 * Checks that `bytes`, a message of `schema`, has at most `maxFields` fields, with those of the messages
 * in it, which count as {@link MESSAGE_COST} themselves.
 *
 * @throws ConnectError with ResourceExhausted
 */
export function checkFields(schema: DescMessage, bytes: Uint8Array, maxFields: number): void {
  if (bytes.byteLength * MAX_COST_PER_BYTE <= maxFields) {
    return;
  }
  if (costsMoreThan(schema, bytes, maxFields)) {
    throw new ConnectError(
      `Cannot receive message: ${schema.typeName} with more than ${maxFields} fields`,
      Code.ResourceExhausted,
    );
  }
}

/** What is left to be looked at of a message, once those in it are through. */
interface Outer {
  readonly messages: ReadonlyMap<number, DescMessage>;
  readonly end: number;
}

function costsMoreThan(schema: DescMessage, bytes: Uint8Array, limit: number): boolean {
  const reader = new Reader(bytes);
  const outer: Outer[] = [];
  let current: Outer = { messages: messagesIn(schema), end: bytes.byteLength };
  for (let cost = 0; cost <= limit; ) {
    while (reader.offset >= current.end) {
      const next = outer.pop();
      if (next === undefined) {
        return false;
      }
      current = next;
    }
    const tag = reader.varint();
    cost++;
    const length = reader.skipTo(tag & 7);
    if (length === undefined) {
      continue;
    }
    const message = current.messages.get(tag >>> 3);
    if (message === undefined) {
      reader.offset += length;
    } else {
      cost += MESSAGE_COST - 1;
      outer.push(current);
      const end = Math.min(reader.offset + length, current.end);
      current = { messages: messagesIn(message), end };
    }
  }
  return true;
}

class Reader {
  readonly #bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The low 32 bits: tags and lengths have no more. */
  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.offset++] ?? 0;
      if (shift < 32) {
        value |= (byte & 0x7f) << shift;
      }
      if (byte < 0x80) {
        return value >>> 0;
      }
    }
  }

  /** Skips a value of that type. Of a length-delimited one only the length, which is returned. */
  skipTo(wireType: number): number | undefined {
    switch (wireType) {
      case WIRE.varint:
        this.varint();
        return undefined;
      case WIRE.fixed64:
        this.offset += 8;
        return undefined;
      case WIRE.fixed32:
        this.offset += 4;
        return undefined;
      case WIRE.lengthDelimited:
        return this.varint();
      default:
        // Beginning and end of a group: what is in it is counted as if it were not.
        return undefined;
    }
  }
}

const known = new WeakMap<DescMessage, ReadonlyMap<number, DescMessage>>();

/** The fields of a message that are messages, by number. */
function messagesIn(schema: DescMessage): ReadonlyMap<number, DescMessage> {
  let messages = known.get(schema);
  if (messages === undefined) {
    const fields = schema.fields.flatMap((field) => {
      const message = messageOf(field);
      return message === undefined ? [] : [[field.number, message] as const];
    });
    messages = new Map(fields);
    known.set(schema, messages);
  }
  return messages;
}

function messageOf(field: DescField): DescMessage | undefined {
  return field.fieldKind === "message" || field.fieldKind === "list" ? field.message : undefined;
}
