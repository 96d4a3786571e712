/**
 * The Nix archive format, NAR.
 *
 *     nar       = "nix-archive-1" node
 *     node      = "(" "type" ( regular | symlink | directory ) ")"
 *     regular   = "regular" [ "executable" "" ] "contents" data
 *     symlink   = "symlink" "target" data
 *     directory = "directory" entry*
 *     entry     = "entry" "(" "name" data "node" node ")"
 *
 * Each string is a 64-bit little-endian length, the bytes and zeros up to a multiple of 8. Names
 * come in byte order, each once. The constants are runs of strings that always come together.
 */
import { concatBytes, toUtf8 } from "@tvix/castore";

/** Strings are padded with zeros to a multiple of this. */
const NAR_ALIGNMENT = 8;

/** Bytes of the length before each string. */
export const NAR_LENGTH_BYTES = 8;

/** Number of zeros after a string of `length` bytes. */
export function narPadding(length: number): number {
  const excess = length % NAR_ALIGNMENT;
  return excess === 0 ? 0 : NAR_ALIGNMENT - excess;
}

/** Bytes that a string of `length` bytes takes, all in all. */
export function narStringLength(length: number): number {
  return NAR_LENGTH_BYTES + length + narPadding(length);
}

function strings(...texts: readonly string[]): Uint8Array {
  return concatBytes(
    texts.map((text) => {
      const bytes = toUtf8(text);
      const string = new Uint8Array(narStringLength(bytes.byteLength));
      new DataView(string.buffer).setBigUint64(0, BigInt(bytes.byteLength), true);
      string.set(bytes, NAR_LENGTH_BYTES);
      return string;
    }),
  );
}

/** What every NAR starts with. */
export const NAR_MAGIC: Uint8Array = strings("nix-archive-1");

/** Before the content of a file. */
export const NAR_FILE: Uint8Array = strings("(", "type", "regular", "contents");

/** Before the content of an executable file. */
export const NAR_EXECUTABLE: Uint8Array = strings(
  "(",
  "type",
  "regular",
  "executable",
  "",
  "contents",
);

/** Before the target of a symbolic link. */
export const NAR_SYMLINK: Uint8Array = strings("(", "type", "symlink", "target");

/** Before the entries of a directory. */
export const NAR_DIRECTORY: Uint8Array = strings("(", "type", "directory");

/** Before the name of an entry. */
export const NAR_ENTRY: Uint8Array = strings("entry", "(", "name");

/** Between the name of an entry and its node. */
export const NAR_NODE: Uint8Array = strings("node");

/** After a node, and after an entry. */
export const NAR_CLOSE: Uint8Array = strings(")");
