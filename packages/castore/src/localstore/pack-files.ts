import fs from "node:fs";
import path from "node:path";
import { syncDirectory } from "./durable.js";

/** One pack as a file that grows. All calls are synchronous: they run in the writer's thread. */
export interface PackFile {
  /** Current length in bytes. */
  size(): number;
  /** Writes all of `parts`, one after the other, from `position` on. */
  write(parts: readonly Uint8Array[], position: number): void;
  /** Returns once all that was written is on stable storage. */
  sync(): void;
  truncate(length: number): void;
  /** Fills `target` from `position` on as far as there are bytes; returns how many. */
  read(target: Uint8Array, position: number): number;
  close(): void;
}

/**
 * Where packs live. The one place through which the writer touches them, so that tests can make it
 * fail, and so that packs can live in object storage.
 */
export interface PackFiles {
  /** The numbers of all packs, ascending. */
  list(): number[];
  /** Makes an empty pack; its name is on stable storage when this returns. */
  create(packId: number): PackFile;
  open(packId: number): PackFile;
}

/** `packs/<8 digits>.pack` */
export function packFileName(packId: number): string {
  return `${String(packId).padStart(8, "0")}.pack`;
}

/** Packs in a directory of the local file system. */
export class FileSystemPackFiles implements PackFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  list(): number[] {
    return fs
      .readdirSync(this.#directory)
      .filter((name) => /^\d{8,}\.pack$/.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
  }

  create(packId: number): PackFile {
    const fd = fs.openSync(this.#path(packId), "wx+", 0o644);
    syncDirectory(this.#directory);
    return new FdPackFile(fd);
  }

  open(packId: number): PackFile {
    return new FdPackFile(fs.openSync(this.#path(packId), "r+"));
  }

  #path(packId: number): string {
    return path.join(this.#directory, packFileName(packId));
  }
}

class FdPackFile implements PackFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  size(): number {
    return fs.fstatSync(this.#fd).size;
  }

  write(parts: readonly Uint8Array[], position: number): void {
    let at = position;
    for (const part of parts) {
      for (let offset = 0; offset < part.byteLength; ) {
        const written = fs.writeSync(this.#fd, part, offset, part.byteLength - offset, at);
        offset += written;
        at += written;
      }
    }
  }

  sync(): void {
    fs.fdatasyncSync(this.#fd);
  }

  truncate(length: number): void {
    fs.ftruncateSync(this.#fd, length);
  }

  read(target: Uint8Array, position: number): number {
    let filled = 0;
    while (filled < target.byteLength) {
      const count = fs.readSync(
        this.#fd,
        target,
        filled,
        target.byteLength - filled,
        position + filled,
      );
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
