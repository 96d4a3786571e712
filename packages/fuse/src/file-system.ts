import type { Errno } from "./errno.js";

/** What comes at once or later. Most requests are answered from memory, without a turn of the event loop. */
export type Awaitable<T> = T | Promise<T>;

/** What comes, or why it does not. */
export type Result<T> = Awaitable<T | Errno>;

/** The node id of the root of every file system, FUSE_ROOT_ID of linux/fuse.h. */
export const ROOT_NODE_ID = 1;

/** Kinds of files, as in the upper bits of st_mode (S_IFMT). */
export const FILE_TYPE = {
  DIRECTORY: 0o040000,
  REGULAR: 0o100000,
  SYMLINK: 0o120000,
} as const;

/** What stat(2) tells of a file. Numbers are whole and at most 2^53-1. */
export interface Attributes {
  /** st_ino. It may differ from the node id, and is the same in every mount. */
  readonly ino: number;
  /** In bytes. */
  readonly size: number;
  /** {@link FILE_TYPE} and permissions. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** In seconds since 1970, for all three times. */
  readonly mtime: number;
  /** st_blksize, in bytes. */
  readonly blockSize: number;
}

/** The answer to a lookup. */
export interface Entry {
  /** By which the kernel names the file from now on, until it forgets it; 0 says that there is none. */
  readonly nodeId: number;
  /** Tells apart files that had the same node id one after the other. */
  readonly generation: number;
  /** What the file is; `undefined` where there is none. */
  readonly attributes: Attributes | undefined;
  /** How long the kernel may rely on name and attributes, in seconds. */
  readonly validSeconds: number;
}

/** The answer to getattr. */
export interface AttributesReply {
  readonly attributes: Attributes;
  /** How long the kernel may rely on them, in seconds. */
  readonly validSeconds: number;
}

/** The answer to open and opendir. */
export interface OpenReply {
  /** By which the kernel names what was opened; 0 where nothing is remembered. */
  readonly handle: number;
  /** What the kernel knows of the content stays; for content that never changes. */
  readonly keepCache?: boolean;
  /** The kernel may answer the next listing itself; for directories that never change. */
  readonly cacheDirectory?: boolean;
}

/** A name in a directory. */
export interface DirectoryItem {
  /** One component, without slash and NUL. */
  readonly name: Uint8Array;
  /** st_ino of what is named. */
  readonly ino: number;
  /** One of {@link FILE_TYPE}. */
  readonly type: number;
  /** Where a listing goes on after this item: any number but 0 that {@link FileSystem.readdir} understands. */
  readonly nextOffset: number;
}

/** Takes the items of a listing as long as they fit into the reply. */
export interface DirectorySink {
  /** Whether each item comes with its entry, as from a lookup (READDIRPLUS). */
  readonly wantsEntries: boolean;
  /**
   * Whether an item with this name fits. Asked before anything is remembered for it: what was added is answered
   * whatever happens afterwards, also if the listing fails.
   */
  fits(name: Uint8Array): boolean;
  /**
   * Adds an item that fits; RangeError for one that does not.
   *
   * @param entry - where entries are wanted. One with a node id counts as a lookup, which the kernel
   *   forgets some day; `.` and `..` come without.
   */
  add(item: DirectoryItem, entry?: Entry): void;
}

/** The answer to statfs. Blocks have the size of a fragment. */
export interface FileSystemStatistics {
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly availableBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
  /** In bytes. */
  readonly blockSize: number;
  /** Longest name, in bytes. */
  readonly maxNameLength: number;
}

/** Who asks, and whether the answer is still wanted. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** 0 where it is not known. */
  readonly pid: number;
  /**
   * Aborted when the kernel interrupts the request and it does not end soon, the machine behind it starts anew, or the session ends; the
   * last two wait until the request has ended, for a moment. Rejecting then answers EINTR; a result is answered all the same.
   *
   * To be read when something has to be waited for, and before that is begun or anything is counted: where too
   * much is under way, reading it throws, and the request comes again later. Made when it is first read.
   */
  readonly signal: AbortSignal;
}

/** How lseek(2) is asked to move. */
export type SeekTo = "data" | "hole";

/**
 * A read-only file system, as the kernel sees one. Every request that would change something is refused
 * with EROFS before it gets here.
 *
 * Node ids come from the kernel or a guest and may be any number: an unknown one is answered with an errno. A method that
 * throws, or whose promise rejects, is answered with EIO. Methods that are missing are answered with
 * ENOSYS, which the kernel remembers. Names that are passed in belong to the file system; they are nobody else's memory.
 */
export interface FileSystem {
  /** The entry under `name` in a directory. ENOENT and an entry with node id 0 both say that there is none; the latter is remembered. */
  lookup(parent: number, name: Uint8Array, caller: Caller): Result<Entry>;

  /** Takes back `lookups` of the lookups (and items with entries) that were answered with this node id. */
  forget(nodeId: number, lookups: number): void;

  getattr(nodeId: number, caller: Caller): Result<AttributesReply>;

  /** The target of a symlink. */
  readlink(nodeId: number, caller: Caller): Result<Uint8Array>;

  /**
   * ENOSYS says that files are read without being opened, from now on. Kernels that insist on opening
   * are told handle 0, so it may be said to any.
   */
  open(nodeId: number, caller: Caller): Result<OpenReply>;

  /**
   * Content of a file, in pieces: `size` bytes in all, fewer only at its end. It is to be taken before the event loop
   * turns, since its memory is used again.
   *
   * @param handle - from {@link open}; 0 when files are not opened
   */
  read(
    nodeId: number,
    handle: number,
    offset: number,
    size: number,
    caller: Caller,
  ): Result<readonly Uint8Array[]>;

  /** Not called for handle 0. */
  release(nodeId: number, handle: number): void;

  /**
   * ENOSYS says that directories are listed without being opened, from now on: as if each had been opened with handle 0,
   * and the kernel may keep and cache everything. Kernels that insist on opening are told just that.
   */
  opendir(nodeId: number, caller: Caller): Result<OpenReply>;

  /**
   * Gives `sink` the items after `offset` until one does not fit, `.` and `..` included.
   *
   * @param offset - 0 for the beginning, or the `nextOffset` of an item
   */
  readdir(
    nodeId: number,
    handle: number,
    offset: number,
    sink: DirectorySink,
    caller: Caller,
  ): Awaitable<Errno | undefined>;

  /** Not called for handle 0. */
  releasedir(nodeId: number, handle: number): void;

  statfs(caller: Caller): Result<FileSystemStatistics>;

  /** Whether the caller may do what `mask` says (R_OK 4, W_OK 2, X_OK 1). */
  access?(nodeId: number, mask: number, caller: Caller): Awaitable<Errno | undefined>;

  /** The value of an extended attribute. */
  getxattr?(nodeId: number, name: Uint8Array, caller: Caller): Result<Uint8Array>;

  /** Names of all extended attributes. */
  listxattr?(nodeId: number, caller: Caller): Result<readonly Uint8Array[]>;

  /** The next place at or after `offset` that is data, or a hole. */
  lseek?(
    nodeId: number,
    handle: number,
    offset: number,
    to: SeekTo,
    caller: Caller,
  ): Result<{ readonly offset: number }>;

  /** The kernel has unmounted, or the other side is gone: whatever is remembered for it can go. */
  destroy?(): void;
}
