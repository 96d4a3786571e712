/**
 * The canonical encoding of a Directory, which is what its digest is of. Byte layout, rules and an
 * example: docs/formats/directory.md.
 *
 *     Directory = 1 DirectoryNode*, 2 FileNode*, 3 SymlinkNode*     each list in name order
 *
 * Decoding accepts exactly the bytes that encoding can write. It does not check that `size` of a
 * child directory is true, for that takes the child: see `LeavesToRootValidator`.
 */
import {
  Directory,
  type DirectoryEntry,
  InvalidDirectoryError,
  MAX_DIRECTORY_ENTRIES,
} from "../nodes/directory.js";
import { entryLength, readEntry, toName, toNode, writeEntry } from "./entry-codec.js";
import { type MessageSchema, ProtobufReader, WIRE_LENGTH } from "./protobuf-reader.js";
import { ProtobufWriter } from "./protobuf-writer.js";
import { WireError } from "./wire-error.js";

/**
 * Longest encoding of a Directory, in bytes: room for {@link MAX_DIRECTORY_ENTRIES} files with names
 * of 90 bytes. It bounds what one message can make a reader hold; peers that speak gRPC with their
 * default settings take no more than 4 MiB anyway.
 */
export const MAX_DIRECTORY_BYTES: number = 128 * 1024 * 1024;

const SCHEMA: MessageSchema = {
  name: "Directory",
  wireTypes: [undefined, WIRE_LENGTH, WIRE_LENGTH, WIRE_LENGTH],
  repeated: true,
};

const LISTS = ["directory", "file", "symlink"] as const;

/** Tighter limits than those of the format, for input that nobody vouches for. */
export interface DecodeDirectoryOptions {
  /** Most entries; {@link MAX_DIRECTORY_ENTRIES} by default and at most. */
  readonly maxEntries?: number;
  /** Most bytes; {@link MAX_DIRECTORY_BYTES} by default. */
  readonly maxBytes?: number;
}

/**
 * Encodes in the one way there is.
 *
 * @throws {@link InvalidDirectoryError} with reason "too-large" above {@link MAX_DIRECTORY_BYTES}
 */
export function encodeDirectory(directory: Directory): Uint8Array {
  let length = 0;
  for (const { name, node } of directory.entries) length += entryLength(name, node);
  checkLength(length, MAX_DIRECTORY_BYTES);
  const writer = new ProtobufWriter(length);
  for (const type of LISTS) {
    for (const { name, node } of directory.entries) {
      if (node.type === type) writeEntry(writer, name, node);
    }
  }
  return writer.finish();
}

/**
 * Decodes an encoding that {@link encodeDirectory} would write; anything else is refused. The result
 * shares no memory with `bytes`.
 *
 * @throws {@link InvalidDirectoryError} with the reason
 */
export function decodeDirectory(
  bytes: Uint8Array,
  options: DecodeDirectoryOptions = {},
): Directory {
  checkLength(bytes.byteLength, options.maxBytes ?? MAX_DIRECTORY_BYTES);
  try {
    return Directory.fromSortedEntries(
      readEntries(bytes, options.maxEntries ?? MAX_DIRECTORY_ENTRIES),
    );
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new InvalidDirectoryError(error.reason, error.message, { cause: error });
  }
}

function readEntries(bytes: Uint8Array, maxEntries: number): DirectoryEntry[] {
  const lists: DirectoryEntry[][] = [[], [], []];
  const reader = new ProtobufReader(bytes);
  let field = 0;
  for (let count = 1; !reader.atEnd; count++) {
    if (count > maxEntries) {
      throw new InvalidDirectoryError("too-many-entries", `more than ${maxEntries} entries`);
    }
    field = reader.field(SCHEMA, field);
    const entry = readEntry(reader, field);
    lists[field - 1]?.push({ name: toName(entry, bytes), node: toNode(entry, bytes) });
  }
  return lists.reduce(merge);
}

/**
 * Joins two lists in name order, in linear time. Names that are out of order or equal in a list, or
 * in both, are so in the result: `Directory.fromSortedEntries` finds them there.
 */
function merge(a: DirectoryEntry[], b: DirectoryEntry[]): DirectoryEntry[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const merged: DirectoryEntry[] = [];
  let j = 0;
  for (const entry of a) {
    for (let other = b[j]; other !== undefined; other = b[++j]) {
      if (entry.name.compare(other.name) <= 0) break;
      merged.push(other);
    }
    merged.push(entry);
  }
  for (; j < b.length; j++) merged.push(b[j] as DirectoryEntry);
  return merged;
}

function checkLength(length: number, limit: number): void {
  if (length > limit) {
    throw new InvalidDirectoryError("too-large", `${length} bytes, more than ${limit}`);
  }
}
