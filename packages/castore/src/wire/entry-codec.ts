/**
 * The three messages that name a file system object (docs/formats/directory.md). Each has the name
 * in field 1 and what the object is made of, digest or target, in field 2:
 *
 *     DirectoryNode = 1 name, 2 digest, 3 size
 *     FileNode      = 1 name, 2 digest, 3 size, 4 executable
 *     SymlinkNode   = 1 name, 2 target
 *
 * A Directory holds lists of them in fields 1, 2 and 3; a Node holds one of them, in the field of the
 * same number.
 */
import { B3Digest, DIGEST_LENGTH } from "../digest.js";
import { CastoreError } from "../errors.js";
import { type Node, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";
import {
  type MessageSchema,
  type ProtobufReader,
  WIRE_LENGTH,
  WIRE_VARINT,
} from "./protobuf-reader.js";
import { type ProtobufWriter, uint64Length, varintLength } from "./protobuf-writer.js";
import { WireError, type WireErrorReason } from "./wire-error.js";

const NAME = 1;
const CONTENT = 2;
const SIZE = 3;
const EXECUTABLE = 4;
/** Every tag here is one byte: the field numbers are below 16. */
const TAG_LENGTH = 1;

/** The field that holds nodes of a type, in Directory and in Node. */
const NODE_FIELDS = { directory: 1, file: 2, symlink: 3 } as const;

const SCHEMAS: readonly (MessageSchema & { readonly type: Node["type"] })[] = [
  {
    type: "directory",
    name: "DirectoryNode",
    wireTypes: [undefined, WIRE_LENGTH, WIRE_LENGTH, WIRE_VARINT],
    repeated: false,
  },
  {
    type: "file",
    name: "FileNode",
    wireTypes: [undefined, WIRE_LENGTH, WIRE_LENGTH, WIRE_VARINT, WIRE_VARINT],
    repeated: false,
  },
  {
    type: "symlink",
    name: "SymlinkNode",
    wireTypes: [undefined, WIRE_LENGTH, WIRE_LENGTH],
    repeated: false,
  },
];

/**
 * The fields of one message, before their meaning is checked. Byte strings are where they lie in the
 * input, from `...Start` to `...End`, both 0 when the message has none.
 */
export interface RawEntry {
  readonly type: Node["type"];
  /** Where the message starts in the input. */
  readonly offset: number;
  readonly nameStart: number;
  readonly nameEnd: number;
  /** Digest or target. */
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly size: bigint;
  readonly executable: boolean;
}

/**
 * Reads the message in field `field` of a Directory or Node.
 *
 * @throws {@link WireError} with reason "malformed" or "not-canonical"
 */
export function readEntry(reader: ProtobufReader, field: number): RawEntry {
  const schema = SCHEMAS[field - 1] as (typeof SCHEMAS)[number];
  const outerEnd = reader.enter();
  const offset = reader.offset;
  let nameStart = 0;
  let nameEnd = 0;
  let contentStart = 0;
  let contentEnd = 0;
  let size = 0n;
  let executable = false;
  let previous = 0;
  while (!reader.atEnd) {
    previous = reader.field(schema, previous);
    if (previous === NAME) {
      nameStart = reader.bytes();
      nameEnd = reader.offset;
    } else if (previous === CONTENT) {
      contentStart = reader.bytes();
      contentEnd = reader.offset;
    } else if (previous === SIZE) size = reader.uint64();
    else executable = reader.bool();
  }
  reader.leave(outerEnd);
  const { type } = schema;
  return { type, offset, nameStart, nameEnd, contentStart, contentEnd, size, executable };
}

/** @throws {@link WireError} with reason "invalid-name" */
export function toName(entry: RawEntry, input: Uint8Array): PathComponent {
  try {
    return PathComponent.fromRange(input, entry.nameStart, entry.nameEnd);
  } catch (error) {
    throw refusal("invalid-name", entry, error);
  }
}

/** @throws {@link WireError} with reason "invalid-node" */
export function toNode(entry: RawEntry, input: Uint8Array): Node {
  const { type, contentStart, contentEnd, size, executable } = entry;
  try {
    if (type === "symlink") {
      return symlinkNode(SymlinkTarget.fromBytes(input.subarray(contentStart, contentEnd)));
    }
    // Not by directoryNode() and fileNode(): a size that was read fits 64 bits.
    const digest = B3Digest.fromRange(input, contentStart, contentEnd);
    return type === "directory" ? { type, digest, size } : { type, digest, size, executable };
  } catch (error) {
    throw refusal("invalid-node", entry, error);
  }
}

/** Length of a node with its tag and length, as {@link writeEntry} writes it. */
export function entryLength(name: PathComponent | undefined, node: Node): number {
  const body = bodyLength(name, node);
  return TAG_LENGTH + varintLength(body) + body;
}

/**
 * Writes a node in the field of its type.
 *
 * @throws {@link RangeError} when a size does not fit 64 bits
 */
export function writeEntry(
  writer: ProtobufWriter,
  name: PathComponent | undefined,
  node: Node,
): void {
  writer.tag(NODE_FIELDS[node.type], WIRE_LENGTH);
  writer.varint(bodyLength(name, node));
  if (name !== undefined) {
    writer.tag(NAME, WIRE_LENGTH);
    writer.bytes(name, name.byteLength);
  }
  writer.tag(CONTENT, WIRE_LENGTH);
  if (node.type === "symlink") {
    writer.bytes(node.target, node.target.byteLength);
    return;
  }
  writer.bytes(node.digest, DIGEST_LENGTH);
  if (node.size !== 0n) {
    writer.tag(SIZE, WIRE_VARINT);
    writer.uint64(node.size);
  }
  if (node.type === "file" && node.executable) {
    writer.tag(EXECUTABLE, WIRE_VARINT);
    writer.varint(1);
  }
}

function bodyLength(name: PathComponent | undefined, node: Node): number {
  const nameLength = name === undefined ? 0 : bytesLength(name.byteLength);
  if (node.type === "symlink") return nameLength + bytesLength(node.target.byteLength);
  const sizeLength = node.size === 0n ? 0 : TAG_LENGTH + uint64Length(node.size);
  const executableLength = node.type === "file" && node.executable ? TAG_LENGTH + 1 : 0;
  return nameLength + bytesLength(DIGEST_LENGTH) + sizeLength + executableLength;
}

function bytesLength(length: number): number {
  return TAG_LENGTH + varintLength(length) + length;
}

function refusal(reason: WireErrorReason, entry: RawEntry, error: unknown): unknown {
  if (!CastoreError.is(error)) return error;
  const message = `${entry.type} at byte ${entry.offset}: ${error.message}`;
  return new WireError(reason, message, { cause: error });
}
