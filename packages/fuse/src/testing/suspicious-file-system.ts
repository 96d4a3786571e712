import { ERRNO, type Errno } from "../errno.js";
import type {
  Attributes,
  Caller,
  DirectorySink,
  Entry,
  FileSystem,
  Result,
  SeekTo,
} from "../file-system.js";
import { MAX_READ_SIZE } from "../protocol/limits.js";
import { TinyFileSystem } from "./tiny-file-system.js";

/** Checks all that a session passes to it, and answers now or later. */
export class SuspiciousFileSystem implements FileSystem {
  /** What should never have come. */
  readonly suspicions: string[] = [];
  readonly #inner = new TinyFileSystem(["a", "b", "c"]);
  #turn = 0;

  lookup(parent: number, name: Uint8Array): Result<Entry> {
    this.#whole("parent", parent);
    if (name.length < 1 || name.length > 255) this.#suspect(`a name of ${name.length} bytes`);
    if (name.includes(0) || name.includes(0x2f)) this.#suspect(`the name ${name}`);
    return this.#later(() => this.#inner.lookup(parent, name));
  }

  forget(nodeId: number, lookups: number): void {
    this.#whole("nodeId", nodeId);
    this.#whole("lookups", lookups);
    this.#inner.forget(nodeId, lookups);
  }

  getattr(
    nodeId: number,
    caller: Caller,
  ): Result<{ readonly attributes: Attributes; readonly validSeconds: number }> {
    this.#whole("nodeId", nodeId);
    return this.#later(() => this.#inner.getattr(nodeId, caller));
  }

  readlink(nodeId: number): Result<Uint8Array> {
    this.#whole("nodeId", nodeId);
    return this.#later(() => new Uint8Array(nodeId % 300));
  }

  open: FileSystem["open"] = (nodeId) => {
    this.#whole("nodeId", nodeId);
    return this.#later(() => ({ handle: nodeId }));
  };

  read(
    nodeId: number,
    handle: number,
    offset: number,
    size: number,
  ): Result<readonly Uint8Array[]> {
    this.#whole("nodeId", nodeId);
    this.#whole("handle", handle);
    this.#whole("offset", offset);
    if (!(size >= 0 && size <= MAX_READ_SIZE)) this.#suspect(`a read of ${size} bytes`);
    return this.#later(() => [new Uint8Array(Math.min(size, 100))]);
  }

  release(nodeId: number, handle: number): void {
    this.#whole("nodeId", nodeId);
    this.#whole("handle", handle);
  }

  opendir: FileSystem["opendir"] = this.open;

  readdir(
    nodeId: number,
    handle: number,
    offset: number,
    sink: DirectorySink,
    caller: Caller,
  ): Promise<Errno | undefined> | Errno | undefined {
    this.#whole("handle", handle);
    this.#whole("offset", offset);
    return this.#later(() => this.#inner.readdir(nodeId, handle, offset, sink, caller));
  }

  releasedir(nodeId: number, handle: number): void {
    this.release(nodeId, handle);
  }

  statfs: FileSystem["statfs"] = (caller) => this.#later(() => this.#inner.statfs(caller));

  access(nodeId: number, mask: number): Errno | undefined {
    this.#whole("nodeId", nodeId);
    if ((mask & 2) !== 0) this.#suspect(`the mask ${mask}`);
    return undefined;
  }

  getxattr(_nodeId: number, name: Uint8Array): Result<Uint8Array> {
    if (name.length < 1 || name.length > 255 || name.includes(0)) this.#suspect(`xattr ${name}`);
    return this.#later(() => new Uint8Array(name.length));
  }

  listxattr(): Result<readonly Uint8Array[]> {
    return this.#later(() => [new Uint8Array(5), new Uint8Array(60)]);
  }

  lseek(
    nodeId: number,
    handle: number,
    offset: number,
    to: SeekTo,
  ): Result<{ readonly offset: number }> {
    this.#whole("nodeId", nodeId);
    this.#whole("handle", handle);
    this.#whole("offset", offset);
    return to === "data" ? { offset } : ERRNO.ENXIO;
  }

  destroy(): void {
    this.#inner.destroy();
  }

  /** Every third answer comes later, every seventh is a failure. */
  #later<T>(answer: () => T | Promise<T>): T | Promise<T> {
    this.#turn++;
    if (this.#turn % 7 === 0) throw new Error("broken");
    if (this.#turn % 3 !== 0) return answer();
    return Promise.resolve().then(answer);
  }

  #whole(what: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) this.#suspect(`${what} ${value}`);
  }

  #suspect(what: string): void {
    this.suspicions.push(what);
  }
}
