import { concatBytes, escapeBytes, toUtf8 } from "@tvix/castore";
import { ERRNO, type Errno } from "../errno.js";
import {
  type AttributesReply,
  type Caller,
  type DirectorySink,
  type Entry,
  type FileSystem,
  type Result,
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

/** Asks a file system as a session does. Rejects with an {@link ErrnoError} where the answer is an errno. */
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

  async lookup(parent: number, name: string | Uint8Array, caller: Caller = CALLER): Promise<Entry> {
    const bytes = typeof name === "string" ? toUtf8(name) : name;
    const entry = await answered(() => this.#files.lookup(parent, bytes, caller), caller);
    if (entry.nodeId === 0) throw new ErrnoError(ERRNO.ENOENT);
    return entry;
  }

  async getattr(nodeId: number): Promise<AttributesReply> {
    return answered(() => this.#files.getattr(nodeId, CALLER));
  }

  async read(
    nodeId: number,
    offset: number,
    size: number,
    caller: Caller = CALLER,
  ): Promise<Uint8Array> {
    const parts = await answered(() => this.#files.read(nodeId, 0, offset, size, caller), caller);
    return concatBytes(parts);
  }

  async readlink(nodeId: number): Promise<string> {
    return escapeBytes(await answered(() => this.#files.readlink(nodeId, CALLER)));
  }

  /** One request for a part of a listing. */
  async readdir(
    nodeId: number,
    handle: number,
    offset: number,
    sink: DirectorySink,
  ): Promise<void> {
    await answered(async () => {
      return (await this.#files.readdir(nodeId, handle, offset, sink, CALLER)) ?? {};
    });
  }

  /** All items of a directory, opened, read in as many pieces as it takes, and released. */
  async list(nodeId: number, options: ListOptions = {}): Promise<ListedItem[]> {
    const handle = await this.#opened(nodeId);
    try {
      return await this.listFrom(nodeId, handle, 0, options);
    } finally {
      this.#files.releasedir(nodeId, handle);
    }
  }

  /** The handle of a directory; 0 where none is opened. */
  async #opened(nodeId: number): Promise<number> {
    const opened = await this.#files.opendir(nodeId, CALLER);
    if (opened === ERRNO.ENOSYS) return 0;
    return (await answered(() => opened)).handle;
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
      await this.readdir(nodeId, handle, next, sink);
      const last = sink.items.at(-1);
      if (last === undefined) return items;
      items.push(...sink.items);
      next = last.item.nextOffset;
    }
  }
}

/** An answer that was an errno. */
class ErrnoError extends Error {
  override readonly name: string = "ErrnoError";
  readonly errno: Errno;

  constructor(errno: Errno, options?: ErrorOptions) {
    super(`The file system answered with errno ${errno}`, options);
    this.errno = errno;
  }
}

async function answered<T extends object>(ask: () => Result<T>, caller = CALLER): Promise<T> {
  let answer: T | Errno;
  try {
    answer = await ask();
  } catch (cause) {
    throw new ErrnoError(caller.signal.aborted ? ERRNO.EINTR : ERRNO.EIO, { cause });
  }
  if (typeof answer === "number") throw new ErrnoError(answer);
  return answer;
}
