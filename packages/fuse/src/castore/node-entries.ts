import type { Directory, DirectoryEntry, FileNode } from "@tvix/castore";
import { ERRNO, type Errno } from "../errno.js";
import type { Attributes, Entry } from "../file-system.js";
import { linksOf } from "./directory-facts.js";
import { directoryPosition } from "./inode-number.js";
import type { InodeTable } from "./inode-table.js";
import { MODE, NODE_KIND } from "./node-kind.js";

/** How long what never changes is valid, in seconds: longer than any mount lasts. */
export const FOREVER_SECONDS: number = 100 * 365 * 86_400;

/** All times of all files, in seconds since 1970: what Nix sets them to. */
const MTIME = 1;

/** Programs read files in pieces of at least this size, in bytes. */
const BLOCK_SIZE = 128 * 1024;

/** Whom files belong to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A directory in which an entry is. */
export interface ParentDirectory {
  readonly slot: number;
  readonly ino: number;
}

/** A name in a directory and where in it. */
export interface PlacedEntry {
  readonly parent: ParentDirectory;
  readonly entry: DirectoryEntry;
  /** Its number among the entries. */
  readonly index: number;
}

/** Tells the kernel about nodes: remembers them as inodes, and says what stat(2) is to show. */
export class NodeEntries {
  readonly #inodes: InodeTable;
  readonly #owner: Owner;

  constructor(inodes: InodeTable, owner: Owner) {
    this.#inodes = inodes;
    this.#owner = owner;
  }

  /**
   * Counts a lookup of an entry.
   *
   * @param content - of a directory
   * @returns EOVERFLOW for a file whose size is no number that stat(2) has, ENOMEM when there is no room
   */
  enter(placed: PlacedEntry, content: Directory | undefined): Entry | Errno {
    const { node } = placed.entry;
    if (node.type === "file" && node.size > Number.MAX_SAFE_INTEGER) return ERRNO.EOVERFLOW;
    const slot = this.#remember(placed, content);
    if (slot === 0) return ERRNO.ENOMEM;
    return {
      nodeId: this.#inodes.nodeId(slot),
      generation: this.#inodes.generation(slot),
      attributes: this.attributes(slot),
      validSeconds: FOREVER_SECONDS,
    };
  }

  attributes(slot: number): Attributes {
    const inodes = this.#inodes;
    const kind = inodes.kind(slot);
    return {
      ino: inodes.ino(slot),
      size: inodes.size(slot),
      mode: MODE[kind],
      nlink: kind === NODE_KIND.DIRECTORY ? Math.max(2, inodes.links(slot)) : 1,
      uid: this.#owner.uid,
      gid: this.#owner.gid,
      mtime: MTIME,
      blockSize: BLOCK_SIZE,
    };
  }

  #remember({ parent, entry, index }: PlacedEntry, content: Directory | undefined): number {
    const { name, node } = entry;
    switch (node.type) {
      case "file":
        return this.#rememberFile(node, parent.slot, index);
      case "symlink":
        return this.#inodes.rememberSymlink(node.target);
      case "directory":
        return this.#inodes.rememberDirectory({
          digest: node.digest,
          position: directoryPosition(parent.ino, name, node.digest),
          parentIno: parent.ino,
          entries: content?.entries.length ?? 0,
          links: content === undefined ? 2 : linksOf(content),
        });
    }
  }

  #rememberFile({ digest, size, executable }: FileNode, parentSlot: number, index: number): number {
    return this.#inodes.rememberFile({
      digest,
      size: Number(size),
      executable,
      parentSlot,
      index,
    });
  }
}
