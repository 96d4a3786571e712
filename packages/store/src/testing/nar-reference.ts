/**
 * NAR once more, in the plainest way: recursive, string by string, everything in memory. Tests
 * compare the real encoder and renderer with it.
 */
import { concatBytes, toUtf8 } from "@tvix/castore";

/** A tree that is in memory. */
export type MemoryTree =
  | { readonly type: "file"; readonly content: Uint8Array; readonly executable: boolean }
  | { readonly type: "symlink"; readonly target: Uint8Array }
  | {
      readonly type: "directory";
      /** Sorted by name, byte by byte. */
      readonly entries: readonly (readonly [name: Uint8Array, tree: MemoryTree])[];
    };

/** The NAR of `tree`. */
export function referenceNar(tree: MemoryTree): Uint8Array {
  return concatBytes([string("nix-archive-1"), node(tree)]);
}

function string(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? toUtf8(value) : value;
  const padded = new Uint8Array(8 * Math.ceil(bytes.byteLength / 8));
  padded.set(bytes);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes.byteLength), true);
  return concatBytes([length, padded]);
}

function node(tree: MemoryTree): Uint8Array {
  const fields: (string | Uint8Array)[] = ["(", "type"];
  if (tree.type === "file") {
    fields.push("regular");
    if (tree.executable) fields.push("executable", "");
    fields.push("contents", tree.content);
  } else if (tree.type === "symlink") {
    fields.push("symlink", "target", tree.target);
  } else {
    fields.push("directory");
  }
  const entries =
    tree.type !== "directory"
      ? []
      : tree.entries.flatMap(([name, child]) => [
          ...["entry", "(", "name", name, "node"].map(string),
          node(child),
          string(")"),
        ]);
  return concatBytes([...fields.map(string), ...entries, string(")")]);
}
