/** File trees on disk, for tests of the import from the file system. */
import fs from "node:fs";
import * as fc from "fast-check";
import { pathComponents, symlinkTargets } from "./arbitraries.js";

/** What to write to disk. Names and targets have one character a byte. */
export type FileTree =
  | { readonly type: "file"; readonly content: string | Uint8Array; readonly mode?: number }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "directory"; readonly entries: Readonly<Record<string, FileTree>> };

export function file(content: string | Uint8Array = "", mode = 0o644): FileTree {
  return { type: "file", content, mode };
}

export function symlink(target: string): FileTree {
  return { type: "symlink", target };
}

export function directory(entries: Readonly<Record<string, FileTree>> = {}): FileTree {
  return { type: "directory", entries };
}

/** The bytes of a name or path that has one character a byte. */
export function rawBytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** Writes `tree` to `path`, which does not exist yet and has one character a byte. */
export function writeFileTree(path: string, tree: FileTree): void {
  const at = rawBytes(path);
  switch (tree.type) {
    case "file":
      fs.writeFileSync(at, tree.content);
      fs.chmodSync(at, tree.mode ?? 0o644);
      break;
    case "symlink":
      fs.symlinkSync(rawBytes(tree.target), at);
      break;
    case "directory":
      fs.mkdirSync(at);
      for (const [name, child] of Object.entries(tree.entries))
        writeFileTree(`${path}/${name}`, child);
  }
}

/** So many bytes, quickly; no part of a length that is usual for buffers comes again at once. */
export function patternBytes(length: number): Uint8Array {
  return new Uint8Array(Buffer.alloc(length, "eleven byte"));
}

/** Small trees of all shapes, with any names; file contents up to `maxContent` bytes. */
export function fileTrees(maxContent = 64): fc.Arbitrary<FileTree> {
  const leaf = fc.oneof(
    fc
      .tuple(fc.uint8Array({ maxLength: maxContent }), fc.constantFrom(0o644, 0o755, 0o655, 0o700))
      .map(([content, mode]) => file(content, mode)),
    symlinkTargets().map((target) =>
      symlink(Buffer.from(target.toBytes().subarray(0, 200)).toString("latin1")),
    ),
  );
  const { tree } = fc.letrec<{ tree: FileTree }>((tie) => ({
    tree: fc
      .uniqueArray(fc.tuple(pathComponents(), fc.oneof({ maxDepth: 3 }, leaf, tie("tree"))), {
        maxLength: 5,
        selector: ([name]) => name.key,
      })
      .map((entries) => directory(Object.fromEntries(entries.map(([n, child]) => [n.key, child])))),
  }));
  return tree;
}
