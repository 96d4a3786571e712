/** NARs string by string, right or wrong, for tests of what reads them. */
import { concatBytes, toUtf8 } from "@tvix/castore";

/** A string of the format: length, bytes, zeros. */
export function narString(value: string | Uint8Array, padding = 0): Uint8Array {
  const bytes = typeof value === "string" ? toUtf8(value) : value;
  const string = new Uint8Array(8 + 8 * Math.ceil(bytes.byteLength / 8)).fill(padding);
  new DataView(string.buffer).setBigUint64(0, BigInt(bytes.byteLength), true);
  string.set(bytes, 8);
  return string;
}

/** The strings given, one after the other; what is bytes inside an array goes in as it is. */
export function narStrings(
  ...parts: readonly (string | Uint8Array | readonly [Uint8Array])[]
): Uint8Array {
  return concatBytes(
    parts.map((part) =>
      typeof part === "string" || part instanceof Uint8Array ? narString(part) : part[0],
    ),
  );
}

/** A 64-bit length alone. */
export function narLength(length: bigint): readonly [Uint8Array] {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return [bytes];
}

/** A NAR of one directory: `entries` are the names and the strings of their nodes. */
export function narDirectory(
  ...entries: readonly (readonly [name: string | Uint8Array, node: Uint8Array])[]
): Uint8Array {
  return concatBytes([narStrings("nix-archive-1"), directoryNode(...entries)]);
}

/** Strings of a directory node. */
export function directoryNode(
  ...entries: readonly (readonly [name: string | Uint8Array, node: Uint8Array])[]
): Uint8Array {
  return concatBytes([
    narStrings("(", "type", "directory"),
    ...entries.map(([name, node]) => narStrings("entry", "(", "name", name, "node", [node], ")")),
    narStrings(")"),
  ]);
}

/** Strings of a file node. */
export function fileNarNode(content: string | Uint8Array): Uint8Array {
  return narStrings("(", "type", "regular", "contents", content, ")");
}

/** Strings of a symbolic link. */
export function symlinkNarNode(target: string | Uint8Array): Uint8Array {
  return narStrings("(", "type", "symlink", "target", target, ")");
}

/** Pieces of `bytes`, each `length` long but the last. */
export function* cut(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let i = 0; i < bytes.byteLength; i += length) yield bytes.subarray(i, i + length);
}
