import { ERRNO } from "../errno.js";
import {
  type Attributes,
  type Caller,
  type DirectorySink,
  type Entry,
  FILE_TYPE,
  type FileSystem,
  type Result,
  ROOT_NODE_ID,
} from "../file-system.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Attributes of a file; the size is that of {@link FILE_CONTENT}. */
export const FILE_ATTRIBUTES: Attributes = {
  ino: 42,
  size: 5,
  mode: FILE_TYPE.REGULAR | 0o444,
  nlink: 1,
  uid: 1,
  gid: 2,
  mtime: 1,
  blockSize: 4096,
};

/** Attributes of the root. */
const ROOT_ATTRIBUTES: Attributes = {
  ...FILE_ATTRIBUTES,
  ino: 1,
  size: 0,
  mode: FILE_TYPE.DIRECTORY | 0o555,
  nlink: 2,
};

/** What every file holds. */
const FILE_CONTENT: Uint8Array = encoder.encode("hello");

/** An entry of a file with this node id. */
function fileEntry(nodeId: number): Entry {
  return {
    nodeId,
    generation: 0,
    attributes: { ...FILE_ATTRIBUTES, ino: nodeId },
    validSeconds: 60,
  };
}

/** A root with files; their node ids are 2, 3, ... in the order of their names. It counts what is remembered. */
export class TinyFileSystem implements FileSystem {
  /** Lookups that the kernel has not taken back, by node id. */
  readonly lookups: Map<number, number> = new Map();
  /** How often destroy() was called. */
  destroyed = 0;
  readonly #names: readonly string[];

  constructor(names: readonly string[] = ["a", "b"]) {
    this.#names = names;
  }

  lookup(parent: number, name: Uint8Array, _caller?: Caller): Result<Entry> {
    if (parent !== ROOT_NODE_ID) return ERRNO.ENOTDIR;
    const index = this.#names.indexOf(decoder.decode(name));
    return index < 0 ? ERRNO.ENOENT : this.#count(fileEntry(index + 2));
  }

  forget(nodeId: number, lookups: number): void {
    const left = (this.lookups.get(nodeId) ?? 0) - lookups;
    if (left > 0) this.lookups.set(nodeId, left);
    else this.lookups.delete(nodeId);
  }

  getattr: FileSystem["getattr"] = (nodeId) => {
    if (nodeId === ROOT_NODE_ID) return { attributes: ROOT_ATTRIBUTES, validSeconds: 60 };
    if (!this.#isFile(nodeId)) return ERRNO.ENOENT;
    return { attributes: { ...FILE_ATTRIBUTES, ino: nodeId }, validSeconds: 60 };
  };

  readlink: FileSystem["readlink"] = () => ERRNO.EINVAL;

  open: FileSystem["open"] = (nodeId) => {
    if (nodeId === ROOT_NODE_ID) return ERRNO.EISDIR;
    return this.#isFile(nodeId) ? { handle: nodeId + 100, keepCache: true } : ERRNO.ENOENT;
  };

  read: FileSystem["read"] = (nodeId, _handle, offset, size) =>
    this.#isFile(nodeId) ? [FILE_CONTENT.subarray(offset, offset + size)] : ERRNO.EISDIR;

  release: FileSystem["release"] = () => {};

  opendir: FileSystem["opendir"] = (nodeId) =>
    nodeId === ROOT_NODE_ID ? { handle: 0, keepCache: true, cacheDirectory: true } : ERRNO.ENOTDIR;

  readdir: FileSystem["readdir"] = (nodeId, _handle, offset, sink) => {
    if (nodeId !== ROOT_NODE_ID) return ERRNO.ENOTDIR;
    const items = [".", "..", ...this.#names];
    for (let i = offset; i < items.length; i++) {
      const name = encoder.encode(items[i]);
      if (!sink.fits(name)) break;
      this.#add(sink, name, i);
    }
    return undefined;
  };

  releasedir: FileSystem["releasedir"] = () => {};

  statfs: FileSystem["statfs"] = () => ({
    blocks: 1,
    freeBlocks: 2,
    availableBlocks: 3,
    files: 4,
    freeFiles: 5,
    blockSize: 4096,
    maxNameLength: 255,
  });

  destroy(): void {
    this.destroyed++;
    this.lookups.clear();
  }

  #add(sink: DirectorySink, name: Uint8Array, index: number): void {
    const isDots = index < 2;
    const item = {
      name,
      ino: isDots ? 1 : index,
      type: isDots ? FILE_TYPE.DIRECTORY : FILE_TYPE.REGULAR,
      nextOffset: index + 1,
    };
    if (sink.wantsEntries && !isDots) sink.add(item, this.#count(fileEntry(index)));
    else sink.add(item);
  }

  #count(entry: Entry): Entry {
    this.lookups.set(entry.nodeId, (this.lookups.get(entry.nodeId) ?? 0) + 1);
    return entry;
  }

  #isFile(nodeId: number): boolean {
    return nodeId >= 2 && nodeId < 2 + this.#names.length;
  }
}

/** A {@link TinyFileSystem} in which some methods are others. */
export function tinyWith(methods: Partial<FileSystem>): FileSystem {
  return Object.assign(new TinyFileSystem(), methods);
}

/** An item of a listing, as the kernel sees it. */
export interface ListedItem {
  readonly name: string;
  readonly nextOffset: number;
  /** 0 where it came without an entry. */
  readonly nodeId: number;
}

/** Takes apart the answer to READDIR or READDIRPLUS. */
export function listed(body: Uint8Array, withEntries: boolean): readonly ListedItem[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const items: ListedItem[] = [];
  for (let at = 0; at < body.byteLength; ) {
    const nodeId = withEntries ? Number(view.getBigUint64(at, true)) : 0;
    if (withEntries) at += 128;
    const nameLength = view.getUint32(at + 16, true);
    const name = decoder.decode(body.subarray(at + 24, at + 24 + nameLength));
    items.push({ name, nextOffset: Number(view.getBigUint64(at + 8, true)), nodeId });
    at += Math.ceil((24 + nameLength) / 8) * 8;
  }
  return items;
}
