/**
 * Encodes messages that consist of byte strings, such as pieces of a file. The general encoder copies
 * each byte string; here long ones are sent from where they are.
 */

import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

/** Byte strings up to this length are copied: one write is cheaper than two. */
const COPY_LIMIT = 16 * 1024;

/** Wire type of length-delimited fields. Source: "Encoding" of the documentation of protocol buffers. */
const LENGTH_DELIMITED = 2;

/** `FieldPresence.IMPLICIT` of descriptors: an empty value is not written. */
const IMPLICIT_PRESENCE = 2;

/** A field of byte strings. */
interface ByteField {
  readonly name: string;
  readonly tag: number;
  readonly repeated: boolean;
}

/** The fields of schemas; `undefined` for those that have others too. */
const plans = new WeakMap<DescMessage, readonly ByteField[] | undefined>();

/** A message as the byte strings of its fields, in the order in which they are written. */
export interface ByteFields {
  /** Length of the encoded message. */
  readonly length: number;
  readonly values: readonly (readonly [tag: number, bytes: Uint8Array])[];
}

/** Looks at a message, whole or as plain object; `undefined` when it is for the general encoder. */
export function byteFieldsOf(schema: DescMessage, message: unknown): ByteFields | undefined {
  const fields = planOf(schema);
  if (fields === undefined || typeof message !== "object" || message === null) {
    return undefined;
  }
  const content = message as Readonly<Record<string, unknown>>;
  if (content["$unknown"] !== undefined) {
    return undefined;
  }
  const values: [number, Uint8Array][] = [];
  let length = 0;
  for (const { name, tag, repeated } of fields) {
    for (const bytes of listOf(content[name])) {
      if (!(bytes instanceof Uint8Array)) {
        return undefined;
      }
      if (repeated || bytes.byteLength > 0) {
        values.push([tag, bytes]);
        length += varintLength(tag) + varintLength(bytes.byteLength) + bytes.byteLength;
      }
    }
  }
  return { length, values };
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) {
    return [];
  }
  return Array.isArray(value) ? value : [value];
}

/** Writes the fields behind `room` bytes for a header, as byte strings to be sent in a row. */
export function encodeByteFields({ values }: ByteFields, room: number): [Buffer, ...Uint8Array[]] {
  const parts: Uint8Array[] = [];
  const copied = Buffer.allocUnsafe(room + copiedLength(values));
  let start = 0;
  let end = room;
  for (const [tag, bytes] of values) {
    end = writeVarint(copied, writeVarint(copied, end, tag), bytes.byteLength);
    if (bytes.byteLength <= COPY_LIMIT) {
      copied.set(bytes, end);
      end += bytes.byteLength;
    } else {
      parts.push(copied.subarray(start, end), bytes);
      start = end;
    }
  }
  if (end > start) {
    parts.push(copied.subarray(start, end));
  }
  return parts as [Buffer, ...Uint8Array[]];
}

function copiedLength(values: ByteFields["values"]): number {
  let length = 0;
  for (const [tag, { byteLength }] of values) {
    length += varintLength(tag) + varintLength(byteLength);
    length += byteLength <= COPY_LIMIT ? byteLength : 0;
  }
  return length;
}

function planOf(schema: DescMessage): readonly ByteField[] | undefined {
  if (plans.has(schema)) {
    return plans.get(schema);
  }
  const fields = schema.fields.map(byteField);
  const plan = fields.every((field) => field !== undefined)
    ? fields.sort((a, b) => a.tag - b.tag)
    : undefined;
  plans.set(schema, plan);
  return plan;
}

function byteField(field: DescField): ByteField | undefined {
  const repeated = field.fieldKind === "list";
  const isBytes =
    (repeated ? field.listKind === "scalar" : field.fieldKind === "scalar") &&
    field.scalar === ScalarType.BYTES;
  const isPlain = repeated || (field.oneof === undefined && field.presence === IMPLICIT_PRESENCE);
  return isBytes && isPlain
    ? { name: field.localName, tag: field.number * 8 + LENGTH_DELIMITED, repeated }
    : undefined;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest /= 0x80) {
    length++;
  }
  return length;
}

/** Returns where it ends. */
function writeVarint(target: Buffer, offset: number, value: number): number {
  let end = offset;
  let rest = value;
  while (rest >= 0x80) {
    target[end++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[end++] = rest;
  return end;
}
