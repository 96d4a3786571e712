import {
  compareBytes,
  Directory,
  directoryNode,
  fileNode,
  type Node,
  PathComponent,
  SymlinkTarget,
  symlinkNode,
} from "@tvix/castore";
import fc from "fast-check";
import type { CastoreServices } from "../nar/renderer.js";
import type { MemoryTree } from "./nar-reference.js";

/** Names with any bytes, many of them alike at the start, so that the order matters. */
const names: fc.Arbitrary<Uint8Array> = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte)))
  .filter((bytes) => !bytes.every((byte) => byte === 0x2e));

const contents: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  // Around the size from which content is passed through, and beyond the staging buffer.
  fc
    .tuple(fc.constantFrom(16_383, 16_384, 16_385, 70_000, 300_001), fc.nat(255))
    .map(([length, byte]) => new Uint8Array(length).fill(byte)),
);

/** Trees with every kind of node, a few levels deep. */
export const trees: fc.Arbitrary<MemoryTree> = fc.letrec<{ tree: MemoryTree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.record({
      type: fc.constant("file" as const),
      content: contents,
      executable: fc.boolean(),
    }),
    fc.record({
      type: fc.constant("symlink" as const),
      target: fc
        .uint8Array({ minLength: 1, maxLength: 30 })
        .map((bytes) => bytes.map((byte) => byte || 0x2f)),
    }),
    fc.record({
      type: fc.constant("directory" as const),
      entries: fc
        .uniqueArray(fc.tuple(names, tie("tree")), {
          selector: ([name]) => name.join(),
          maxLength: 6,
        })
        .map((entries) => entries.sort(([a], [b]) => compareBytes(a, b))),
    }),
  ),
})).tree;

/** Stores a tree, leaves first, and returns its root. */
export async function storeTree(services: CastoreServices, tree: MemoryTree): Promise<Node> {
  if (tree.type === "symlink") return symlinkNode(SymlinkTarget.fromBytes(tree.target));
  if (tree.type === "file") {
    const digest = await services.blobs.put([tree.content]);
    return fileNode(digest, BigInt(tree.content.byteLength), tree.executable);
  }
  const entries = [];
  for (const [name, child] of tree.entries) {
    entries.push({
      name: PathComponent.fromBytes(name),
      node: await storeTree(services, child),
    });
  }
  const directory = Directory.fromEntries(entries);
  return directoryNode(await services.directories.put(directory), directory.size());
}
