import { concatBytes, escapeBytes, toUtf8 } from "@tvix/castore";
import type { Errno } from "../errno.js";
import {
  type AttributesReply,
  type Caller,
  type Entry,
  type FileSystem,
  ROOT_NODE_ID,
} from "../file-system.js";
import { type ListedItem, ListingSink } from "./listing-sink.js";

/** Somebody who waits for as long as it takes. */
export const CALLER: Caller = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

/** Room of an answer to READDIR, as kernels have it. */
const LISTING_ROOM = 4096;

/** How a directory is listed. */
export interface ListOptions {
  readonly wantsEntries?: boolean;
  /** Of each answer, in bytes. */
  readonly room?: () => number;
}

/** Asks a file system as a kernel does, without one. Rejects with an {@link ErrnoError} where the answer is one. */
export class FileSystemClient {
  readonly #files: FileSystem;

  constructor(files: FileSystem) {
    this.#files = files;
  }

  /** The entry at a path of names; the entries on the way are not forgotten. */
  async walk(...names: readonly (string | Uint8Array)[]): Promise<Entry> {
    let entry: Entry | undefined;
    for (const name of names) {
      entry = await this.lookup(entry?.nodeId ?? ROOT_NODE_ID, name);
    }
    if (entry === undefined) throw new TypeError("a path has at least one name");
    return entry;
  }

  async lookup(parent: number, name: string | Uint8Array): Promise<Entry> {
    const bytes = typeof name === "string" ? toUtf8(name) : name;
    const entry = answered(await this.#files.lookup(parent, bytes, CALLER));
    if (entry.nodeId === 0) throw new ErrnoError(2);
    return entry;
  }

  async getattr(nodeId: number): Promise<AttributesReply> {
    return answered(await this.#files.getattr(nodeId, CALLER));
  }

  async read(nodeId: number, offset: number, size: number): Promise<Uint8Array> {
    const parts = answered(await this.#files.read(nodeId, 0, offset, size, CALLER));
    return concatBytes(parts);
  }

  async readlink(nodeId: number): Promise<string> {
    return escapeBytes(answered(await this.#files.readlink(nodeId, CALLER)));
  }

  /** All items of a directory, opened, read in as many pieces as it takes, and released. */
  async list(nodeId: number, options: ListOptions = {}): Promise<ListedItem[]> {
    const { handle } = answered(await this.#files.opendir(nodeId, CALLER));
    try {
      return await this.listFrom(nodeId, handle, 0, options);
    } finally {
      this.#files.releasedir(nodeId, handle);
    }
  }

  /** The items after `offset`, up to the end. */
  async listFrom(
    nodeId: number,
    handle: number,
    offset: number,
    { wantsEntries = false, room = () => LISTING_ROOM }: ListOptions = {},
  ): Promise<ListedItem[]> {
    const items: ListedItem[] = [];
    for (let next = offset; ; ) {
      const sink = new ListingSink(room(), wantsEntries);
      const errno = await this.#files.readdir(nodeId, handle, next, sink, CALLER);
      if (errno !== undefined) throw new ErrnoError(errno);
      const last = sink.items.at(-1);
      if (last === undefined) return items;
      items.push(...sink.items);
      next = last.item.nextOffset;
    }
  }
}

/** An answer that was an errno. */
export class ErrnoError extends Error {
  override readonly name: string = "ErrnoError";
  readonly errno: number;

  constructor(errno: number) {
    super(`The file system answered with errno ${errno}`);
    this.errno = errno;
  }
}

function answered<T extends object>(answer: T | Errno): T {
  if (typeof answer === "number") throw new ErrnoError(answer);
  return answer;
}
