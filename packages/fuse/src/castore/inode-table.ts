import { B3Digest, blake3, DIGEST_LENGTH, type SymlinkTarget, toLatin1 } from "@tvix/castore";
import { ROOT_NODE_ID } from "../file-system.js";
import { DIGEST_WORDS, InodeColumns } from "./inode-columns.js";
import { contentInode, type DirectoryPosition } from "./inode-number.js";
import { NODE_KIND, type NodeKind } from "./node-kind.js";
import { SlotIndex } from "./slot-index.js";

/** Slot of the root, which is never freed. */
export const ROOT_SLOT: number = ROOT_NODE_ID;

/** Most inodes that are remembered: some 2 GiB. A kernel forgets, a hostile guest may not. */
const MAX_INODES: number = 2 ** 24;

/** A node id is a slot and, above it, so many bits of how often the slot was used before. */
const GENERATION_BITS = 21;
const GENERATION_MASK = 2 ** GENERATION_BITS - 1;
const SLOT_RANGE = 2 ** 32;

/** A file that is to be remembered. */
export interface RememberedFile {
  readonly digest: B3Digest;
  readonly size: number;
  readonly executable: boolean;
  /** Where it was seen: slot of the directory, and which entry of it. */
  readonly parentSlot: number;
  readonly index: number;
}

/** A directory that is to be remembered. */
export interface RememberedDirectory {
  readonly digest: B3Digest;
  readonly position: DirectoryPosition;
  readonly parentIno: number;
  readonly entries: number;
  readonly links: number;
}

/**
 * What the kernel knows: an inode for every node that it was told of and has not forgotten. Files are shared by
 * digest, size and the executable bit, symlinks by target, directories by position.
 *
 * Inodes are found by node id, which turns into a slot for all else. A slot is good until the next call of
 * {@link forget}.
 */
export class InodeTable {
  readonly #columns = new InodeColumns();
  readonly #index = new SlotIndex();
  readonly #targets = new Map<number, string>();
  /** Random odd factors, so that nobody can make many inodes that fall on the same place. */
  readonly #factors = crypto
    .getRandomValues(new Uint32Array(DIGEST_WORDS + 3))
    .map((factor) => factor | 1);
  /** The digest that is looked for. */
  readonly #wantedBytes = new Uint8Array(DIGEST_LENGTH);
  readonly #wanted = new Uint32Array(this.#wantedBytes.buffer);
  /** Slots from here on were never used. */
  #end = ROOT_SLOT + 1;
  /** The first free slot below; 0 when there is none. */
  #free = 0;
  #count = 1;
  readonly #hasRootDigest: boolean;

  /** @param root - the Directory that is the root, if it is one */
  constructor(root?: B3Digest) {
    this.#columns.kind[ROOT_SLOT] = NODE_KIND.DIRECTORY;
    this.#columns.ino[ROOT_SLOT] = ROOT_NODE_ID;
    this.#columns.parentIno[ROOT_SLOT] = ROOT_NODE_ID;
    this.#hasRootDigest = root !== undefined;
    if (root === undefined) return;
    root.writeTo(this.#wantedBytes, 0);
    this.#columns.words.set(this.#wanted, ROOT_SLOT * DIGEST_WORDS);
  }

  /** How many inodes there are, the root included. */
  get count(): number {
    return this.#count;
  }

  /** The slot of a node id; 0 for one that nobody has, or has any more. */
  slotOf(nodeId: number): number {
    const slot = nodeId % SLOT_RANGE;
    if (!(slot >= ROOT_SLOT && slot < this.#end)) return 0;
    const generation = (this.#columns.generation[slot] as number) & GENERATION_MASK;
    if (nodeId !== slot + generation * SLOT_RANGE) return 0;
    return this.#columns.kind[slot] === NODE_KIND.FREE ? 0 : slot;
  }

  nodeId(slot: number): number {
    return slot + ((this.#columns.generation[slot] as number) & GENERATION_MASK) * SLOT_RANGE;
  }

  /** Tells apart inodes that had the same node id one after the other. */
  generation(slot: number): number {
    return (this.#columns.generation[slot] as number) >>> GENERATION_BITS;
  }

  kind(slot: number): NodeKind {
    return this.#columns.kind[slot] as NodeKind;
  }

  /** In bytes; of a directory, the number of its entries. */
  size(slot: number): number {
    return this.#columns.size[slot] as number;
  }

  /** st_nlink of a directory. */
  links(slot: number): number {
    return this.#columns.number[slot] as number;
  }

  /** Whether it is a file or a directory; a root that is no Directory is none. */
  hasDigest(slot: number): boolean {
    return slot === ROOT_SLOT ? this.#hasRootDigest : this.kind(slot) !== NODE_KIND.SYMLINK;
  }

  /** Of what {@link hasDigest}. */
  digest(slot: number): B3Digest {
    const { buffer } = this.#columns.words;
    const start = slot * DIGEST_LENGTH;
    return B3Digest.fromRange(new Uint8Array(buffer), start, start + DIGEST_LENGTH);
  }

  /** Target of a symlink. */
  target(slot: number): Uint8Array {
    const text = this.#targets.get(slot) ?? "";
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  }

  ino(slot: number): number {
    const kind = this.kind(slot);
    if (kind === NODE_KIND.DIRECTORY) return this.#columns.ino[slot] as number;
    return contentInode(this.#columns.words, slot * DIGEST_WORDS, kind);
  }

  /** st_ino of the directory above a directory. */
  parentIno(slot: number): number {
    return this.#columns.parentIno[slot] as number;
  }

  /** Where a file was seen last. The slot may be that of another inode by now. */
  place(slot: number): { readonly parentSlot: number; readonly index: number } {
    const { parentSlot, number } = this.#columns;
    return { parentSlot: parentSlot[slot] as number, index: number[slot] as number };
  }

  /** Says what is in the root. Until then it has no entries, and no links. */
  setRootFacts(entries: number, links: number): void {
    this.#columns.size[ROOT_SLOT] = entries;
    this.#columns.number[ROOT_SLOT] = links;
  }

  /**
   * Counts a lookup of a file.
   *
   * @returns its slot, 0 when there is no room
   */
  rememberFile(file: RememberedFile): number {
    const kind = file.executable ? NODE_KIND.EXECUTABLE : NODE_KIND.FILE;
    file.digest.writeTo(this.#wantedBytes, 0);
    const hash = this.#hash(kind, file.size, 0);
    const slot = this.#find(kind, hash, file.size, 0) || this.#add(kind, hash, file.size);
    if (slot === 0) return 0;
    this.#columns.parentSlot[slot] = file.parentSlot;
    this.#columns.number[slot] = file.index;
    return this.#counted(slot);
  }

  /** {@link rememberFile} for a symlink. */
  rememberSymlink(target: SymlinkTarget): number {
    const bytes = target.toBytes();
    blake3(bytes).writeTo(this.#wantedBytes, 0);
    const kind = NODE_KIND.SYMLINK;
    const size = bytes.byteLength;
    const hash = this.#hash(kind, size, 0);
    let slot = this.#find(kind, hash, size, 0);
    if (slot === 0) {
      slot = this.#add(kind, hash, size);
      if (slot === 0) return 0;
      this.#targets.set(slot, toLatin1(bytes));
    }
    return this.#counted(slot);
  }

  /** {@link rememberFile} for a directory. */
  rememberDirectory(directory: RememberedDirectory): number {
    const { digest, position, entries, links } = directory;
    const kind = NODE_KIND.DIRECTORY;
    digest.writeTo(this.#wantedBytes, 0);
    const hash = this.#hash(kind, entries, position.ino);
    let slot = this.#find(kind, hash, entries, position.ino, position.check);
    if (slot === 0) {
      slot = this.#add(kind, hash, entries);
      if (slot === 0) return 0;
      this.#columns.ino[slot] = position.ino;
      this.#columns.check[slot] = position.check;
      this.#columns.parentIno[slot] = directory.parentIno;
      this.#columns.number[slot] = links;
    }
    return this.#counted(slot);
  }

  /**
   * Takes back lookups. More than there were count as all, and an unknown node id as none.
   *
   * @returns whether the inode is gone with it
   */
  forget(nodeId: number, lookups: number): boolean {
    const slot = this.slotOf(nodeId);
    if (slot === 0 || slot === ROOT_SLOT || !(lookups > 0)) return false;
    const left = (this.#columns.lookups[slot] as number) - lookups;
    this.#columns.lookups[slot] = left;
    if (left > 0) return false;
    this.#release(slot);
    return true;
  }

  #hash(kind: NodeKind, size: number, ino: number): number {
    const factors = this.#factors;
    let hash = 0;
    for (let i = 0; i < DIGEST_WORDS; i++) {
      hash = (hash + Math.imul(this.#wanted[i] as number, factors[i] as number)) | 0;
    }
    hash = (hash + Math.imul(kind, factors[DIGEST_WORDS] as number)) | 0;
    hash = (hash + Math.imul(size >>> 0, factors[DIGEST_WORDS + 1] as number)) | 0;
    return (hash + Math.imul(ino >>> 0, factors[DIGEST_WORDS + 2] as number)) >>> 0;
  }

  #find(kind: NodeKind, hash: number, size: number, ino: number, check = 0): number {
    const index = this.#index;
    const columns = this.#columns;
    let place = index.start(hash);
    for (let slot = index.at(place); slot !== 0; slot = index.at(place)) {
      if (
        index.hasHash(slot, hash) &&
        columns.kind[slot] === kind &&
        columns.size[slot] === size &&
        (kind !== NODE_KIND.DIRECTORY ||
          (columns.ino[slot] === ino && columns.check[slot] === check)) &&
        this.#hasWantedDigest(slot)
      ) {
        return slot;
      }
      place = index.after(place);
    }
    return 0;
  }

  #hasWantedDigest(slot: number): boolean {
    const { words } = this.#columns;
    const start = slot * DIGEST_WORDS;
    for (let i = 0; i < DIGEST_WORDS; i++) if (words[start + i] !== this.#wanted[i]) return false;
    return true;
  }

  #add(kind: NodeKind, hash: number, size: number): number {
    const slot = this.#take();
    if (slot === 0) return 0;
    const columns = this.#columns;
    columns.kind[slot] = kind;
    columns.size[slot] = size;
    columns.lookups[slot] = 0;
    columns.words.set(this.#wanted, slot * DIGEST_WORDS);
    this.#index.add(slot, hash);
    this.#count++;
    return slot;
  }

  #take(): number {
    if (this.#free !== 0) {
      const slot = this.#free;
      this.#free = this.#columns.parentSlot[slot] as number;
      return slot;
    }
    if (this.#end > MAX_INODES) return 0;
    if (this.#end === this.#columns.length) this.#columns.grow();
    return this.#end++;
  }

  #counted(slot: number): number {
    (this.#columns.lookups[slot] as number)++;
    return slot;
  }

  #release(slot: number): void {
    this.#index.remove(slot);
    this.#targets.delete(slot);
    const columns = this.#columns;
    columns.kind[slot] = NODE_KIND.FREE;
    (columns.generation[slot] as number)++;
    columns.parentSlot[slot] = this.#free;
    this.#free = slot;
    this.#count--;
  }
}
