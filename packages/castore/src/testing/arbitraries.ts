/** fast-check arbitraries for everything that castore stores. */
import * as fc from "fast-check";
import { B3Digest, DIGEST_LENGTH } from "../digest.js";
import { Directory, type DirectoryEntry, type DirectorySizeRule } from "../nodes/directory.js";
import {
  type DirectoryNode,
  directoryNode,
  fileNode,
  type Node,
  symlinkNode,
} from "../nodes/node.js";
import { MAX_SYMLINK_TARGET_LENGTH, SymlinkTarget } from "../nodes/symlink-target.js";
import { MAX_NAME_LENGTH, PathComponent } from "../path/component.js";
import { directoryDigest } from "../wire/directory-digest.js";

const SLASH = 0x2f;

/** Valid names: any bytes that may be in one, mostly short, up to the limit. */
export function pathComponents(): fc.Arbitrary<PathComponent> {
  const byte = fc.integer({ min: 1, max: 255 }).filter((value) => value !== SLASH);
  const anyBytes = fc.oneof(
    { weight: 9, arbitrary: fc.array(byte, { minLength: 1, maxLength: 8 }) },
    { weight: 1, arbitrary: fc.array(byte, { minLength: 1, maxLength: MAX_NAME_LENGTH }) },
  );
  // Few letters, so that names share beginnings and orders are close.
  const letters = fc.array(fc.constantFrom(0x2e, 0x61, 0x62), { minLength: 1, maxLength: 4 });
  return fc
    .oneof(anyBytes, letters)
    .map((values) => Uint8Array.from(values))
    .filter((bytes) => bytes.byteLength > 2 || bytes.some((value) => value !== 0x2e))
    .map((bytes) => PathComponent.fromBytes(bytes));
}

/** Valid targets, mostly short, up to the limit. */
export function symlinkTargets(): fc.Arbitrary<SymlinkTarget> {
  const byte = fc.integer({ min: 1, max: 255 });
  return fc
    .oneof(
      { weight: 19, arbitrary: fc.array(byte, { minLength: 1, maxLength: 20 }) },
      {
        weight: 1,
        arbitrary: fc.array(byte, { minLength: 1, maxLength: MAX_SYMLINK_TARGET_LENGTH }),
      },
    )
    .map((values) => SymlinkTarget.fromBytes(Uint8Array.from(values)));
}

/** Any digests; nothing need have them. */
export function digests(): fc.Arbitrary<B3Digest> {
  return fc
    .uint8Array({ minLength: DIGEST_LENGTH, maxLength: DIGEST_LENGTH })
    .map((bytes) => B3Digest.fromBytes(bytes));
}

/** Sizes of all magnitudes up to `max`, among them those around which their encoding changes. */
export function nodeSizes(max: bigint = 2n ** 64n - 1n): fc.Arbitrary<bigint> {
  const borders = [7n, 14n, 32n, 49n, 53n, 56n, 63n, 64n]
    .flatMap((bits) => [2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n])
    .filter((size) => size <= max);
  return fc.oneof(
    fc.constantFrom(0n, 1n, 127n, 128n),
    fc.constantFrom(max, ...borders),
    fc.bigInt({ min: 0n, max }),
  );
}

/** Nodes of all kinds, which refer to nothing that exists. */
export function nodes(maxSize?: bigint): fc.Arbitrary<Node> {
  return fc.oneof(
    fc.tuple(digests(), nodeSizes(maxSize)).map(([digest, size]) => directoryNode(digest, size)),
    fc
      .tuple(digests(), nodeSizes(maxSize), fc.boolean())
      .map(([digest, size, executable]) => fileNode(digest, size, executable)),
    symlinkTargets().map((target) => symlinkNode(target)),
  );
}

/** Directories whose children exist nowhere: for the codec. */
export function directories(maxEntries = 12): fc.Arbitrary<Directory> {
  // Small enough for the sum of all to fit 64 bits.
  const entry = fc.record({ name: pathComponents(), node: nodes(2n ** 56n) });
  return fc
    .uniqueArray(entry, { maxLength: maxEntries, selector: ({ name }) => name.key })
    .map((entries) => Directory.fromEntries(entries));
}

/** A root and all Directories below it. */
export interface Closure {
  /** Leaves first, the root last, each once. */
  readonly directories: readonly Directory[];
  readonly root: DirectoryNode;
  readonly rule: DirectorySizeRule;
}

/** What a tree is made of before sizes and digests are known. */
type Tree = readonly (readonly [PathComponent, Tree | Exclude<Node, DirectoryNode>])[];

/** Small closures with true digests and sizes, by either rule; often with shared subtrees. */
export function closures(): fc.Arbitrary<Closure> {
  const leaf = fc.oneof(
    fc.constant(fileNode(B3Digest.fromBytes(new Uint8Array(DIGEST_LENGTH)), 7n)),
    fc.constant(symlinkNode(SymlinkTarget.parse("x"))),
  );
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.uniqueArray(fc.tuple(pathComponents(), fc.oneof({ maxDepth: 4 }, leaf, tie("tree"))), {
      maxLength: 4,
      selector: ([name]) => name.key,
    }),
  }));
  return fc
    .tuple(tree, fc.constantFrom<DirectorySizeRule>("documented", "doubled"))
    .map(([shape, rule]) => {
      const built = new Map<string, Directory>();
      const root = build(shape, rule, built);
      return { directories: [...built.values()], root, rule };
    });
}

function build(tree: Tree, rule: DirectorySizeRule, built: Map<string, Directory>): DirectoryNode {
  const entries: DirectoryEntry[] = tree.map(([name, child]) => ({
    name,
    node: "type" in child ? child : build(child, rule, built),
  }));
  const directory = Directory.fromEntries(entries);
  const digest = directoryDigest(directory);
  built.set(digest.key, directory);
  return directoryNode(digest, directory.size(rule));
}
