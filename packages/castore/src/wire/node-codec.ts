/**
 * The Node message of castore.v1: one DirectoryNode, FileNode or SymlinkNode, in field 1, 2 or 3. It
 * stands where a single object is meant, outside a Directory: as the root of a path info (with its
 * name) or in the URL of a NAR (without one).
 *
 * Decoding accepts exactly the bytes that encoding can write.
 */
import { CastoreError } from "../errors.js";
import type { Node } from "../nodes/node.js";
import { MAX_SYMLINK_TARGET_LENGTH } from "../nodes/symlink-target.js";
import { MAX_NAME_LENGTH, type PathComponent } from "../path/component.js";
import { entryLength, readEntry, toName, toNode, writeEntry } from "./entry-codec.js";
import { type MessageSchema, ProtobufReader, WIRE_LENGTH } from "./protobuf-reader.js";
import { ProtobufWriter } from "./protobuf-writer.js";
import { WireError } from "./wire-error.js";

/**
 * Longest encoding of a node, in bytes: a link with the longest name and target, and the tags and
 * lengths around (1 + 2 for the message and for each of its two fields).
 */
export const MAX_NODE_BYTES: number = MAX_NAME_LENGTH + MAX_SYMLINK_TARGET_LENGTH + 9;

const SCHEMA: MessageSchema = {
  name: "Node",
  wireTypes: [undefined, WIRE_LENGTH, WIRE_LENGTH, WIRE_LENGTH],
  repeated: false,
};

/** Which rule the encoding of a node breaks. */
export type InvalidNodeReason =
  | "no-node"
  | "several-nodes"
  | "name-in-anonymous-node"
  | "invalid-name"
  | "invalid-node"
  | "too-large"
  | "malformed"
  | "not-canonical";

/** An encoding of a node that breaks a rule of the format. */
export class InvalidNodeError extends CastoreError {
  override readonly name: string = "InvalidNodeError";
  readonly reason: InvalidNodeReason;

  constructor(reason: InvalidNodeReason, message: string, options?: ErrorOptions) {
    super("INVALID_ARGUMENT", `Invalid node: ${message}`, options);
    this.reason = reason;
  }
}

/** A node and the name it carries, if it carries one. */
export interface NamedNode {
  readonly name: PathComponent | undefined;
  readonly node: Node;
}

/** Encodes in the one way there is; without `name`, the node is anonymous. */
export function encodeNode(node: Node, name?: PathComponent): Uint8Array {
  const writer = new ProtobufWriter(entryLength(name, node));
  writeEntry(writer, name, node);
  return writer.finish();
}

/**
 * Decodes an encoding that {@link encodeNode} would write; anything else is refused. The result
 * shares no memory with `bytes`.
 *
 * @throws {@link InvalidNodeError} with the reason
 */
export function decodeNode(bytes: Uint8Array): NamedNode {
  if (bytes.byteLength > MAX_NODE_BYTES) {
    throw new InvalidNodeError(
      "too-large",
      `${bytes.byteLength} bytes, more than ${MAX_NODE_BYTES}`,
    );
  }
  if (bytes.byteLength === 0) throw new InvalidNodeError("no-node", "no node is set");
  try {
    return readNode(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new InvalidNodeError(error.reason, error.message, { cause: error });
  }
}

/**
 * {@link decodeNode} where a name has no place.
 *
 * @throws {@link InvalidNodeError}, with reason "name-in-anonymous-node" when there is one
 */
export function decodeAnonymousNode(bytes: Uint8Array): Node {
  const { name, node } = decodeNode(bytes);
  if (name !== undefined) {
    throw new InvalidNodeError("name-in-anonymous-node", `it has the name "${name}" and must not`);
  }
  return node;
}

function readNode(bytes: Uint8Array): NamedNode {
  const reader = new ProtobufReader(bytes);
  const entry = readEntry(reader, reader.field(SCHEMA, 0));
  if (!reader.atEnd) {
    reader.field(SCHEMA, 0);
    throw new InvalidNodeError("several-nodes", "more than one node is set");
  }
  const name = entry.nameEnd === 0 ? undefined : toName(entry, bytes);
  return { name, node: toNode(entry, bytes) };
}
