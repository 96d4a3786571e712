import {
  B3Digest,
  type BlobService,
  type Directory,
  type DirectoryService,
  InvalidNameError,
  type Node,
  PathComponent,
  type RootNodes,
  SingleFlight,
} from "@tvix/castore";
import { ERRNO, type Errno } from "../errno.js";
import type {
  AttributesReply,
  Awaitable,
  Caller,
  DirectorySink,
  Entry,
  FileSystem,
  FileSystemStatistics,
  OpenReply,
  Result,
} from "../file-system.js";
import { digestAttribute, digestAttributes } from "./digest-attributes.js";
import { DirectoryCache } from "./directory-cache.js";
import { indexOfName, linksOf } from "./directory-facts.js";
import { FileReader } from "./file-reader.js";
import { InodeTable, ROOT_SLOT } from "./inode-table.js";
import {
  FOREVER_SECONDS,
  NodeEntries,
  type Owner,
  type ParentDirectory,
  type PlacedEntry,
} from "./node-entries.js";
import { NODE_KIND } from "./node-kind.js";
import {
  addDots,
  addEntry,
  DOT_ITEMS,
  type EnterListed,
  type ListedDirectory,
  readDirectory,
} from "./read-directory.js";
import type { CastoreRoot } from "./root.js";
import { RootListing } from "./root-listing.js";

/** Listings of the root that may be open at a time: each keeps what it has listed. */
const MAX_ROOT_LISTINGS = 1024;

/** A directory that never changes is open. */
const FOR_GOOD: OpenReply = { handle: 0, keepCache: true, cacheDirectory: true };

/** Unit of the figures of a whole file system, in bytes. */
const STATISTICS_BLOCK = 4096;

/** What a {@link CastoreFileSystem} shows, and where it is. */
export interface CastoreFileSystemParts {
  readonly blobs: BlobService;
  readonly directories: Pick<DirectoryService, "get">;
  readonly root: CastoreRoot;
}

/** Options of {@link CastoreFileSystem}. */
export interface CastoreFileSystemOptions {
  /** Whether a root of {@link RootNodes} can be listed; otherwise that is refused with EPERM. No by default. */
  readonly listRoot?: boolean;
  /** Whether there are `DIGEST_ATTRIBUTES`. Yes by default. */
  readonly xattrs?: boolean;
  /** Whom all files belong to; root by default. */
  readonly owner?: Owner;
  /** How long it may take until a root node that was asked for in vain is seen, in seconds; 1 by default. */
  readonly absentRootSeconds?: number;
  /**
   * Most entries of the Directories in memory, of some 300 bytes each; 49,152 by default. Large Directories may have
   * twice as many besides, and one of them any number.
   */
  readonly cachedEntries?: number;
  /** Most content in memory, in bytes; 256 MiB by default. It is taken by reading here and there in large files. */
  readonly contentCacheBytes?: number;
  /** How far ahead of a reader content is fetched, in bytes; 8 MiB by default. */
  readonly readAheadBytes?: number;
}

/**
 * Nodes as a file system that nobody can write to.
 *
 * Everything below the root is valid for good, since content never changes. Inode numbers are the same in every mount.
 * `lseek` and `access` are left to the kernel, which does both as well, and without asking.
 */
export class CastoreFileSystem implements FileSystem {
  readonly getxattr?: NonNullable<FileSystem["getxattr"]>;
  readonly listxattr?: NonNullable<FileSystem["listxattr"]>;
  readonly #directories: DirectoryCache;
  readonly #reader: FileReader;
  /** Where root nodes come from; `undefined` when the root is a Directory. */
  readonly #roots: RootNodes | undefined;
  readonly #rootDigest: B3Digest | undefined;
  readonly #rootFlights = new SingleFlight<Node | undefined>();
  readonly #owner: Owner;
  readonly #canListRoots: boolean;
  readonly #absentRootSeconds: number;
  readonly #listings = new Map<number, RootListing>();
  #lastHandle = 0;
  #inodes: InodeTable;
  #entries: NodeEntries;

  constructor(parts: CastoreFileSystemParts, options: CastoreFileSystemOptions = {}) {
    const { root } = parts;
    this.#roots = root instanceof B3Digest ? undefined : root;
    this.#rootDigest = root instanceof B3Digest ? root : undefined;
    this.#directories = new DirectoryCache(parts.directories, options.cachedEntries ?? 49_152);
    const limits = {
      cacheBytes: options.contentCacheBytes ?? 256 * 1024 * 1024,
      readAheadBytes: options.readAheadBytes ?? 8 * 1024 * 1024,
    };
    this.#reader = new FileReader(parts.blobs, limits, (slot) => this.#directoryIn(slot));
    this.#owner = options.owner ?? { uid: 0, gid: 0 };
    this.#canListRoots = this.#roots !== undefined && options.listRoot === true;
    this.#absentRootSeconds = options.absentRootSeconds ?? 1;
    this.#inodes = new InodeTable(this.#rootDigest);
    this.#entries = new NodeEntries(this.#inodes, this.#owner);
    if (options.xattrs === false) return;
    this.getxattr = (nodeId, name) => digestAttribute(this.#inodes, nodeId, name);
    this.listxattr = (nodeId) => digestAttributes(this.#inodes, nodeId);
  }

  /** How many inodes the kernel knows, the root included. */
  get inodes(): number {
    return this.#inodes.count;
  }

  lookup(parent: number, name: Uint8Array, caller: Caller): Result<Entry> {
    const slot = this.#directorySlot(parent);
    if (typeof slot !== "object") return slot;
    const component = parseName(name);
    if (typeof component === "number") return component;
    if (slot.slot === ROOT_SLOT && this.#roots !== undefined) {
      return this.#lookupRoot(this.#roots, slot, component, caller);
    }
    return this.#withDirectory(slot.slot, caller, (directory) =>
      this.#lookupIn(slot, directory, component, caller),
    );
  }

  forget(nodeId: number, lookups: number): void {
    if (this.#inodes.forget(nodeId, lookups)) this.#reader.forget(nodeId);
  }

  getattr(nodeId: number, caller: Caller): Result<AttributesReply> {
    const slot = this.#inodes.slotOf(nodeId);
    if (slot === 0) return ERRNO.ENOENT;
    // Nobody has looked up a root.
    if (slot === ROOT_SLOT && this.#rootDigest !== undefined && this.#inodes.links(slot) === 0) {
      return this.#withDirectory(slot, caller, (directory) => {
        this.#inodes.setRootFacts(directory.entries.length, linksOf(directory));
        return this.#attributes(slot);
      });
    }
    return this.#attributes(slot);
  }

  readlink(nodeId: number): Result<Uint8Array> {
    const slot = this.#inodes.slotOf(nodeId);
    if (slot === 0) return ERRNO.ENOENT;
    return this.#inodes.kind(slot) === NODE_KIND.SYMLINK ? this.#inodes.target(slot) : ERRNO.EINVAL;
  }

  /** Files are read without being opened, which saves half of the requests. */
  open(nodeId: number): Errno {
    const slot = this.#fileSlot(nodeId);
    if (typeof slot !== "object") return slot;
    return ERRNO.ENOSYS;
  }

  read(
    nodeId: number,
    _handle: number,
    offset: number,
    size: number,
    caller: Caller,
  ): Result<readonly Uint8Array[]> {
    const file = this.#fileSlot(nodeId);
    if (typeof file !== "object") return file;
    const { slot } = file;
    const length = this.#inodes.size(slot);
    const end = Math.min(length, offset + size);
    if (!(offset < end)) return [];
    const readable = {
      nodeId,
      size: length,
      digest: () => this.#inodes.digest(slot),
      place: () => this.#inodes.place(slot),
    };
    return this.#reader.read(readable, offset, end, () => caller.signal);
  }

  release(): void {}

  /**
   * Directories are listed without being opened, which leaves nothing to ask for when one is listed again. Root nodes come
   * and go, so where they can be listed, kernels ask.
   */
  opendir(nodeId: number): Result<OpenReply> {
    const directory = this.#directorySlot(nodeId);
    if (typeof directory !== "object") return directory;
    if (directory.slot !== ROOT_SLOT || this.#roots === undefined) {
      return this.#canListRoots ? FOR_GOOD : ERRNO.ENOSYS;
    }
    if (!this.#canListRoots) return ERRNO.EPERM;
    if (this.#listings.size >= MAX_ROOT_LISTINGS) return ERRNO.ENOMEM;
    const handle = ++this.#lastHandle;
    this.#listings.set(handle, new RootListing(this.#roots));
    return { handle };
  }

  readdir(
    nodeId: number,
    handle: number,
    offset: number,
    sink: DirectorySink,
    caller: Caller,
  ): Awaitable<Errno | undefined> {
    const directory = this.#directorySlot(nodeId);
    if (typeof directory !== "object") return directory;
    const { slot } = directory;
    const listed = { ...directory, parentIno: this.#inodes.parentIno(slot) };
    const enter: EnterListed = (entry, index) =>
      this.#enterNow({ parent: directory, entry, index });
    if (slot === ROOT_SLOT && this.#roots !== undefined) {
      if (!this.#canListRoots) return ERRNO.EPERM;
      return this.#listRoots({ handle, offset, caller }, listed, sink, enter);
    }
    return this.#withDirectory(slot, caller, (content) => {
      readDirectory(listed, content, offset, sink, enter);
      return undefined;
    });
  }

  releasedir(_nodeId: number, handle: number): void {
    this.#listings.get(handle)?.close();
    this.#listings.delete(handle);
  }

  statfs(): Result<FileSystemStatistics> {
    return {
      // Of a file system without blocks, df(1) tells nothing.
      blocks: 1,
      freeBlocks: 0,
      availableBlocks: 0,
      files: this.#inodes.count,
      freeFiles: 0,
      blockSize: STATISTICS_BLOCK,
      maxNameLength: 255,
    };
  }

  destroy(): void {
    for (const listing of this.#listings.values()) listing.close();
    this.#listings.clear();
    this.#reader.close();
    this.#directories.clear();
    this.#inodes = new InodeTable(this.#rootDigest);
    this.#entries = new NodeEntries(this.#inodes, this.#owner);
  }

  #attributes(slot: number): AttributesReply {
    return { attributes: this.#entries.attributes(slot), validSeconds: FOREVER_SECONDS };
  }

  #directorySlot(nodeId: number): ParentDirectory | Errno {
    const slot = this.#inodes.slotOf(nodeId);
    if (slot === 0) return ERRNO.ENOENT;
    if (this.#inodes.kind(slot) !== NODE_KIND.DIRECTORY) return ERRNO.ENOTDIR;
    return { slot, ino: this.#inodes.ino(slot) };
  }

  #fileSlot(nodeId: number): { readonly slot: number } | Errno {
    const slot = this.#inodes.slotOf(nodeId);
    if (slot === 0) return ERRNO.ENOENT;
    switch (this.#inodes.kind(slot)) {
      case NODE_KIND.DIRECTORY:
        return ERRNO.EISDIR;
      case NODE_KIND.SYMLINK:
        return ERRNO.EINVAL;
      default:
        return { slot };
    }
  }

  /** The Directory in a slot, if it is one and at hand. */
  #directoryIn(slot: number): Directory | undefined {
    if (this.#inodes.kind(slot) !== NODE_KIND.DIRECTORY) return undefined;
    return this.#directories.peek(this.#inodes.digest(slot));
  }

  /** Does something with the Directory in a slot: at once where it is at hand. */
  #withDirectory<T>(
    slot: number,
    caller: Caller,
    work: (directory: Directory) => Result<T>,
  ): Result<T> {
    const digest = this.#inodes.digest(slot);
    const directory = this.#directories.peek(digest);
    if (directory !== undefined) return work(directory);
    return this.#directories.fetch(digest, caller.signal).then(work);
  }

  #lookupIn(
    parent: ParentDirectory,
    directory: Directory,
    name: PathComponent,
    caller: Caller,
  ): Result<Entry> {
    const index = indexOfName(directory, name);
    const entry = directory.entries[index];
    if (entry === undefined) return absent(FOREVER_SECONDS);
    return this.#enter({ parent, entry, index }, caller);
  }

  async #lookupRoot(
    roots: RootNodes,
    parent: ParentDirectory,
    name: PathComponent,
    caller: Caller,
  ): Promise<Entry | Errno> {
    const get = (signal: AbortSignal) => roots.get(name, { signal });
    const node = await this.#rootFlights.run(name.key, get, caller.signal);
    if (node === undefined) return absent(this.#absentRootSeconds);
    return this.#enter({ parent, entry: { name, node }, index: 0 }, caller);
  }

  /** Counts a lookup. What a directory holds must be known for that. */
  #enter(placed: PlacedEntry, caller: Caller): Result<Entry> {
    const { node } = placed.entry;
    if (node.type !== "directory") return this.#entries.enter(placed, undefined);
    const content = this.#directories.peek(node.digest);
    if (content !== undefined) return this.#entries.enter(placed, content);
    return this.#directories
      .fetch(node.digest, caller.signal)
      .then((fetched) => this.#entries.enter(placed, fetched));
  }

  /** Counts a lookup where nothing has to be waited for. */
  #enterNow(placed: PlacedEntry): Entry | undefined {
    const { node } = placed.entry;
    const content = node.type === "directory" ? this.#directories.peek(node.digest) : undefined;
    if (node.type === "directory" && content === undefined) return undefined;
    const entry = this.#entries.enter(placed, content);
    return typeof entry === "number" ? undefined : entry;
  }

  async #listRoots(
    { handle, offset, caller }: RootListingCall,
    listed: ListedDirectory,
    sink: DirectorySink,
    enter: EnterListed,
  ): Promise<Errno | undefined> {
    let listing = this.#listings.get(handle);
    if (listing === undefined) return ERRNO.EBADF;
    if (offset === 0 && !listing.isFresh) {
      listing = listing.again();
      this.#listings.set(handle, listing);
    }
    if (!addDots(listed, offset, sink)) return undefined;
    for (let i = Math.max(0, offset - DOT_ITEMS); ; i++) {
      const entry = listing.peek(i) ?? (await listing.pull(i, caller.signal));
      if (entry === undefined || !addEntry(listed, entry, i, sink, enter)) return undefined;
    }
  }
}

/** Who wants which part of a listing of the root. */
interface RootListingCall {
  readonly handle: number;
  readonly offset: number;
  readonly caller: Caller;
}

/** There is no such name, for so long. */
function absent(validSeconds: number): Entry {
  return { nodeId: 0, generation: 0, attributes: undefined, validSeconds };
}

function parseName(name: Uint8Array): PathComponent | Errno {
  try {
    return PathComponent.fromBytes(name);
  } catch (error) {
    if (!(error instanceof InvalidNameError)) throw error;
    return error.reason === "too-long" ? ERRNO.ENAMETOOLONG : ERRNO.ENOENT;
  }
}
