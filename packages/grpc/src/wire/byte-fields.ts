/**
 * Encodes messages with long byte strings, such as pieces of a file. The general encoder copies each byte
 * string; here long ones are sent from where they are.
 */

import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";

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

/** The fields of a schema that are byte strings. */
interface Plan {
  readonly fields: readonly ByteField[];
  /** Whether it has others too. */
  readonly hasOthers: boolean;
}

const plans = new WeakMap<DescMessage, Plan>();

const NO_BYTES = new Uint8Array(0);

/** A message as the byte strings of its fields, in the order in which they are written. */
export interface ByteFields {
  /** Length of the encoded message. */
  readonly length: number;
  /** Its other fields, encoded: they come first. */
  readonly others: Uint8Array;
  readonly values: readonly (readonly [tag: number, bytes: Uint8Array])[];
}

/** Looks at a message, whole or as plain object; `undefined` when it is for the general encoder. */
export function byteFieldsOf(schema: DescMessage, message: unknown): ByteFields | undefined {
  const { fields, hasOthers } = planOf(schema);
  if (fields.length === 0 || typeof message !== "object" || message === null) {
    return undefined;
  }
  const content = message as Readonly<Record<string, unknown>>;
  if (content["$unknown"] !== undefined) {
    return undefined;
  }
  const values: [number, Uint8Array][] = [];
  let length = 0;
  let hasLong = false;
  for (const { name, tag, repeated } of fields) {
    for (const bytes of listOf(content[name])) {
      if (!(bytes instanceof Uint8Array)) {
        return undefined;
      }
      if (repeated || bytes.byteLength > 0) {
        values.push([tag, bytes]);
        length += varintLength(tag) + varintLength(bytes.byteLength) + bytes.byteLength;
        hasLong ||= bytes.byteLength > COPY_LIMIT;
      }
    }
  }
  if (!hasOthers) {
    return { length, others: NO_BYTES, values };
  }
  if (!hasLong) {
    return undefined;
  }
  const others = toBinary(schema, without(fields, schema, content));
  return { length: length + others.byteLength, others, values };
}

/** The message with these fields left out. */
function without(
  fields: readonly ByteField[],
  schema: DescMessage,
  content: Readonly<Record<string, unknown>>,
): Message {
  const rest: Record<string, unknown> = { ...content };
  for (const { name } of fields) {
    delete rest[name];
  }
  delete rest["$typeName"];
  // The types of what callers and handlers give were checked against the schema.
  return create(schema, rest as never);
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) {
    return [];
  }
  return Array.isArray(value) ? value : [value];
}

/** Writes the fields behind `room` bytes for a header, as byte strings to be sent in a row. */
export function encodeByteFields(
  { others, values }: ByteFields,
  room: number,
): [Buffer, ...Uint8Array[]] {
  const parts: Uint8Array[] = [];
  const copied = Buffer.allocUnsafe(room + others.byteLength + copiedLength(values));
  copied.set(others, room);
  let start = 0;
  let end = room + others.byteLength;
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

function planOf(schema: DescMessage): Plan {
  const known = plans.get(schema);
  if (known !== undefined) {
    return known;
  }
  const fields = schema.fields.map(byteField).filter((field) => field !== undefined);
  const hasOthers = fields.length < schema.fields.length;
  const plan = { fields: fields.sort((a, b) => a.tag - b.tag), hasOthers };
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
