import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { type RawPath, toFsPath } from "../import/raw-path.js";
import { ExportError, exportError } from "./export-error.js";

const { O_DIRECTORY, O_EXCL, O_CREAT, O_NOFOLLOW, O_RDONLY, O_WRONLY } = fs.constants;

/** Paths longer than that begin anew at an open directory; the system takes 4096 bytes. */
const MAX_PATH_BYTES = 2048;

/** How long names of unfinished exports may be: the system takes 255 bytes. */
const MAX_SHOWN_NAME = 200;

/**
 * A place beside the destination where something is made before it is moved there: a directory that only we may enter, under
 * a name that nobody can guess. It is held open, and everything in it is reached from there: whoever can rename things in
 * the directory around it can make the export fail, and cannot make us write elsewhere.
 */
export class Workshop {
  /** What is made goes here. */
  readonly product: RawPath;
  readonly #parent: RawPath;
  readonly #parentFd: number;
  readonly #directory: RawPath;
  readonly #fd: number;
  readonly #destination: RawPath;
  readonly #name: string;
  /** Of directories far down. */
  readonly #anchors: number[] = [];
  /** Those that were made, each after the one that it is in. */
  readonly #directories: RawPath[] = [];

  /** @throws {@link ExportError} */
  constructor(destination: RawPath) {
    this.#destination = destination;
    this.#name = path.basename(destination);
    if (this.#name === "")
      throw new ExportError("exists", destination, "there is something already");
    try {
      this.#parentFd = fs.openSync(toFsPath(path.dirname(destination)), O_RDONLY | O_DIRECTORY);
    } catch (cause) {
      throw exportError(cause, destination);
    }
    try {
      this.#parent = anchored(this.#parentFd, path.dirname(destination));
      this.#checkFree();
      const name = `.${this.#name.slice(0, MAX_SHOWN_NAME)}.${randomBytes(12).toString("hex")}`;
      this.#directory = `${this.#parent}/${name}`;
      fs.mkdirSync(toFsPath(this.#directory), 0o700);
      this.#fd = fs.openSync(toFsPath(this.#directory), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } catch (cause) {
      fs.closeSync(this.#parentFd);
      throw exportError(cause, destination);
    }
    this.product = `${anchored(this.#fd, this.#directory)}/product`;
  }

  /** Makes a directory that does not exist yet. @returns what paths in it begin with */
  makeDirectory(at: RawPath, mode: number): RawPath {
    fs.mkdirSync(toFsPath(at), mode);
    let base = at;
    if (at.length > MAX_PATH_BYTES) {
      const fd = fs.openSync(toFsPath(at), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      this.#anchors.push(fd);
      base = anchored(fd, at);
    }
    this.#directories.push(base);
    return base;
  }

  /** Creates a file that does not exist yet. The caller closes it. */
  createFile(at: RawPath, mode: number): number {
    return fs.openSync(toFsPath(at), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  }

  /**
   * Moves what was made to the destination, if there is still nothing.
   *
   * @param directoryMode - what all directories get then; `undefined` to leave them as they are
   * @throws {@link ExportError}
   */
  publish(isDirectory: boolean, directoryMode?: number): void {
    const target = `${this.#parent}/${this.#name}`;
    try {
      if (isDirectory) this.#move(target, directoryMode);
      else this.#link(target);
    } catch (cause) {
      throw exportError(cause, this.#destination);
    }
  }

  #move(target: RawPath, directoryMode: number | undefined): void {
    if (directoryMode !== undefined) {
      for (const directory of this.#directories.slice(1).toReversed()) {
        fs.chmodSync(toFsPath(directory), directoryMode);
      }
    }
    const fd = fs.openSync(toFsPath(this.product), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      // It could only take the place of an empty directory that has just come.
      this.#checkFree();
      fs.renameSync(toFsPath(this.product), toFsPath(target));
      // Not before: who may not write a directory may not move it to another one.
      if (directoryMode !== undefined) fs.fchmodSync(fd, directoryMode);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Takes away all that was made and not published. */
  dispose(): void {
    try {
      this.#clear();
      fs.rmdirSync(toFsPath(this.#directory));
    } catch (error) {
      // Somebody has taken it away, or put something else in its place.
      if (!isGone(error)) throw error;
    } finally {
      for (const fd of [...this.#anchors, this.#fd, this.#parentFd]) fs.closeSync(fd);
    }
  }

  #clear(): void {
    if (!exists(this.product)) return;
    // Deepest first; so no path gets longer than it was.
    for (const directory of this.#directories.toReversed()) {
      fs.chmodSync(toFsPath(directory), 0o700);
      empty(directory);
    }
    const { product } = this;
    if (fs.lstatSync(toFsPath(product)).isDirectory()) fs.rmdirSync(toFsPath(product));
    else fs.unlinkSync(toFsPath(product));
  }

  /** A name more for a file, which fails where there is something, and the first name goes. */
  #link(target: RawPath): void {
    try {
      fs.linkSync(toFsPath(this.product), toFsPath(target));
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      // There are file systems without.
      this.#checkFree();
      fs.renameSync(toFsPath(this.product), toFsPath(target));
    }
  }

  #checkFree(): void {
    if (!exists(`${this.#parent}/${this.#name}`)) return;
    throw new ExportError("exists", this.#destination, "there is something already");
  }
}

/** Removes what is in a directory, whose directories are empty. */
function empty(directory: RawPath): void {
  for (const entry of fs.readdirSync(toFsPath(directory), {
    encoding: "buffer",
    withFileTypes: true,
  })) {
    const at = toFsPath(`${directory}/${(entry.name as unknown as Buffer).toString("latin1")}`);
    if (entry.isDirectory()) fs.rmdirSync(at);
    else fs.unlinkSync(at);
  }
}

/** What paths from an open directory begin with; its own path where the system has no names for that. */
function anchored(fd: number, own: RawPath): RawPath {
  const name = `/proc/self/fd/${fd}`;
  return fs.existsSync(name) ? name : own;
}

function exists(at: RawPath): boolean {
  return fs.lstatSync(toFsPath(at), { throwIfNoEntry: false }) !== undefined;
}

function isGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}

function isUnsupported(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EPERM" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "ENOSYS";
}
