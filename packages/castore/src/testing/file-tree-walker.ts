/**
 * What an import of a file tree must give, found out in the plainest way: recursion, one file after
 * the other, everything in memory. To compare the real thing with.
 */
import fs from "node:fs";
import { expect } from "vitest";
import type { BlobService } from "../blobservice/blob-service.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { type Blake3Hash, blake3, createBlake3 } from "../hasher/blake3.js";
import type { TreeObserver } from "../import/tree-observer.js";
import { Directory, type DirectoryEntry, type DirectorySizeRule } from "../nodes/directory.js";
import { directoryNode, fileNode, type Node, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { expectSameBytes, readAll } from "./expectations.js";
import { collect } from "./sources.js";

/** All that is to know about a tree. */
export interface WalkedTree {
  readonly node: Node;
  /** What an observer is told, in the notation of {@link RecordingObserver}. */
  readonly events: readonly string[];
  /** Contents of the files, by the key of their digest. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** All Directories, by the key of their digest. */
  readonly directories: ReadonlyMap<string, Directory>;
  /** Files, directories and links. */
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
}

/** @param path - one character a byte */
export function walkFileTree(path: string, rule: DirectorySizeRule = "documented"): WalkedTree {
  const walker = new Walker(rule);
  const node = walker.walk(Buffer.from(path, "latin1"));
  return { ...walker.found, node };
}

class Walker {
  readonly found = {
    events: [] as string[],
    blobs: new Map<string, Uint8Array>(),
    directories: new Map<string, Directory>(),
    entries: 0,
    files: 0,
    bytes: 0,
  };
  readonly #rule: DirectorySizeRule;

  constructor(rule: DirectorySizeRule) {
    this.#rule = rule;
  }

  walk(path: Buffer): Node {
    const stat = fs.lstatSync(path);
    this.found.entries += 1;
    if (stat.isDirectory()) return this.#directory(path);
    if (stat.isSymbolicLink()) return this.#symlink(path);
    return this.#file(path, (stat.mode & 0o100) !== 0);
  }

  #directory(path: Buffer): Node {
    this.found.events.push("(");
    const names = fs.readdirSync(path, { encoding: "buffer" }).sort(Buffer.compare);
    const entries: DirectoryEntry[] = names.map((name) => {
      this.found.events.push(`entry ${name.toString("hex")}`);
      const node = this.walk(Buffer.concat([path, Buffer.from("/"), name]));
      return { name: PathComponent.fromBytes(name), node };
    });
    this.found.events.push(")");
    const directory = Directory.fromEntries(entries);
    const digest = directoryDigest(directory);
    this.found.directories.set(digest.key, directory);
    return directoryNode(digest, directory.size(this.#rule));
  }

  #symlink(path: Buffer): Node {
    const target = fs.readlinkSync(path, { encoding: "buffer" });
    this.found.events.push(`symlink ${target.toString("hex")}`);
    return symlinkNode(SymlinkTarget.fromBytes(target));
  }

  #file(path: Buffer, executable: boolean): Node {
    const content = new Uint8Array(fs.readFileSync(path));
    const digest = blake3(content);
    this.found.events.push(fileEvent(content.byteLength, executable, digest.toHex()));
    this.found.blobs.set(digest.key, content);
    this.found.files += 1;
    this.found.bytes += content.byteLength;
    return fileNode(digest, BigInt(content.byteLength), executable);
  }
}

function fileEvent(size: number, executable: boolean, digest: string): string {
  return `file ${size} ${executable ? "x" : "-"} ${digest}`;
}

/** Writes down what it is told, and throws when that does not nest. */
export class RecordingObserver implements TreeObserver {
  readonly events: string[] = [];
  #file: { size: number; executable: boolean; left: number; hash: Blake3Hash } | undefined;

  beginDirectory(): void {
    this.#add("(");
  }

  entry(name: Uint8Array): void {
    this.#add(`entry ${Buffer.from(name).toString("hex")}`);
  }

  endDirectory(): void {
    this.#add(")");
  }

  symlink(target: Uint8Array): void {
    this.#add(`symlink ${Buffer.from(target).toString("hex")}`);
  }

  beginFile(size: number, executable: boolean): void {
    if (this.#file !== undefined) throw new Error("A file begins in a file");
    this.#file = { size, executable, left: size, hash: createBlake3() };
  }

  fileBytes(bytes: Uint8Array): void {
    if (this.#file === undefined) throw new Error("Content comes outside of a file");
    this.#file.left -= bytes.byteLength;
    this.#file.hash.update(bytes);
  }

  endFile(): void {
    if (this.#file === undefined) throw new Error("A file ends that did not begin");
    const { size, executable, left, hash } = this.#file;
    this.#file = undefined;
    if (left !== 0) throw new Error(`A file of ${size} bytes came with ${size - left}`);
    this.#add(fileEvent(size, executable, hash.digest().toHex()));
  }

  #add(event: string): void {
    if (this.#file !== undefined) throw new Error(`"${event}" comes in a file`);
    this.events.push(event);
  }
}

/** Fails unless the services hold all of `tree`, bit for bit, and nothing is outstanding. */
export async function expectStored(
  services: { readonly blobs: BlobService; readonly directories: DirectoryService },
  tree: WalkedTree,
): Promise<void> {
  if (tree.node.type === "directory") {
    const stored = await collect(services.directories.getRecursive(tree.node.digest));
    const digests = stored.map((directory) => directoryDigest(directory).toHex());
    const expected = [...tree.directories.values()].map((each) => directoryDigest(each).toHex());
    expect(digests.sort()).toEqual(expected.sort());
  }
  for (const content of tree.blobs.values())
    expectSameBytes(await readAll(services.blobs, blake3(content)), content);
}
