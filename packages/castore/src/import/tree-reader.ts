import fs, { type BigIntStats } from "node:fs";
import { MAX_DIRECTORY_ENTRIES } from "../nodes/directory.js";
import { MAX_SYMLINK_TARGET_LENGTH } from "../nodes/symlink-target.js";
import { MAX_NAME_LENGTH } from "../path/component.js";
import { ImportError, importError } from "./import-error.js";
import { type RawPath, toFsPath } from "./raw-path.js";
import { EntryKind, isSettled, StatRecordBuilder } from "./stat-record.js";
import { TreeEventWriter } from "./tree-events.js";

/** Files up to this size travel together; larger ones in batches of their own, and as streams. */
export const SMALL_FILE_BYTES: number = 1024 * 1024;

/** So much of a file is read before its length is known: most have less. */
const PROBE_BYTES = 128 * 1024;

/** Memory for the content of one batch; it is full when another small file may not fit. */
export const BATCH_BYTES: number = 4 * 1024 * 1024 + PROBE_BYTES;

/** Events after which a batch is handed over though its content has room. */
const MAX_EVENT_BYTES = 1024 * 1024;

/**
 * A part of a tree: either events with the content of small files, one behind the other, or (with
 * `piece`) a part of the content of the large file whose event came last.
 */
export interface TreeBatch {
  readonly events: Uint8Array<ArrayBuffer>;
  /** Shared; goes back to the reader when it has been used. */
  readonly memory: Uint8Array;
  /** How many bytes of `memory` are content. */
  readonly length: number;
  readonly piece?: "more" | "last";
}

/** Gives out memory for a batch, `BATCH_BYTES` of it; called at most once between two batches. */
export type TakeMemory = () => Uint8Array;

interface OpenDirectory {
  readonly path: RawPath;
  readonly stat: BigIntStats;
  readonly names: readonly Listed[];
  readonly record: StatRecordBuilder;
  next: number;
}

/** A name in a directory; what is no file may be anything. */
interface Listed {
  /** One character a byte. */
  readonly name: string;
  isFile(): boolean;
}

const OPEN_FLAGS =
  fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY;

interface OpenFile {
  readonly fd: number;
  readonly path: RawPath;
  readonly stat: BigIntStats;
}

/** Takes note of the stat that a file or link was read with. */
type Remember = (kind: EntryKind, stat: BigIntStats) => void;

/**
 * Reads the tree at `path`: depth first, names in byte order, links never followed, the one given as
 * the root neither. Crosses mount points.
 *
 * @param nowNs - the time before reading began, in nanoseconds since 1970: time stamps from long
 *   before it are trusted
 * @throws {@link ImportError}
 */
export function readTree(
  path: RawPath,
  takeMemory: TakeMemory,
  nowNs: bigint,
): Generator<TreeBatch, void, undefined> {
  return new TreeReader(takeMemory, nowNs).read(path);
}

class TreeReader {
  readonly #takeMemory: TakeMemory;
  readonly #events = new TreeEventWriter();
  readonly #nowNs: bigint;
  readonly #stack: OpenDirectory[] = [];
  #memory: Uint8Array | undefined;
  #filled = 0;

  constructor(takeMemory: TakeMemory, nowNs: bigint) {
    this.#takeMemory = takeMemory;
    this.#nowNs = nowNs;
  }

  *read(root: RawPath): Generator<TreeBatch, void, undefined> {
    const stat = lstat(root);
    try {
      yield* this.#tree(root, stat);
    } catch (error) {
      throw vanished(error);
    }
  }

  *#tree(root: RawPath, stat: BigIntStats): Generator<TreeBatch, void, undefined> {
    let large: OpenFile | undefined;
    if (stat.isDirectory()) this.#enter(root, stat);
    else large = this.#leaf(root, stat, () => {});
    if (large !== undefined) yield* this.#largeFile(large);
    for (let top = this.#stack.at(-1); top !== undefined; top = this.#stack.at(-1)) {
      const entry = top.names[top.next++];
      if (entry === undefined) this.#leave(top);
      else {
        large = this.#entry(top, entry);
        if (large !== undefined) yield* this.#largeFile(large);
      }
      if (this.#isFull()) yield this.#batch();
    }
    yield this.#batch();
  }

  /** @returns a file that is too large for a batch */
  #entry(parent: OpenDirectory, entry: Listed): OpenFile | undefined {
    const { name } = entry;
    const path = parent.path === "/" ? `/${name}` : `${parent.path}/${name}`;
    if (name.length > MAX_NAME_LENGTH)
      throw ImportError.at("invalid", path, "its name is too long");
    this.#events.entry(name);
    // A file is looked at when it is open; some file systems do not say the type with the name.
    const stat = entry.isFile() ? undefined : lstat(path);
    if (stat === undefined || !stat.isDirectory())
      return this.#leaf(path, stat, (kind, found) => parent.record.add(name, kind, found));
    parent.record.add(name, EntryKind.DIRECTORY);
    this.#enter(path, stat);
    return undefined;
  }

  #enter(path: RawPath, before: BigIntStats): void {
    const names = list(path);
    const stat = lstat(path);
    checkSameDirectory(path, before, stat);
    if (names.length > MAX_DIRECTORY_ENTRIES) {
      const what = `it has ${names.length} entries, more than ${MAX_DIRECTORY_ENTRIES}`;
      throw ImportError.at("invalid", path, what);
    }
    names.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#events.beginDirectory();
    const record = new StatRecordBuilder(stat, this.#nowNs);
    this.#stack.push({ path, stat, names, record, next: 0 });
  }

  #leave({ path, stat, record }: OpenDirectory): void {
    // What is in it was found by its path: this path must have been that of one directory all along.
    checkSameDirectory(path, stat, lstat(path));
    this.#events.endDirectory(record.build());
    this.#stack.pop();
  }

  /** @param found - its stat, if it may be anything but a file */
  #leaf(path: RawPath, found: BigIntStats | undefined, remember: Remember): OpenFile | undefined {
    if (found?.isSymbolicLink() === true) {
      this.#events.symlink(readLink(path));
      remember(EntryKind.SYMLINK, found);
      return undefined;
    }
    if (found?.isFile() === false) throw unsupported(path);
    const fd = openFile(path);
    let isLarge = false;
    try {
      const stat = this.#smallFile(fd, path);
      isLarge = stat.size > SMALL_FILE_BYTES;
      remember(EntryKind.FILE, stat);
      return isLarge ? { fd, path, stat } : undefined;
    } catch (error) {
      throw importError(error, path);
    } finally {
      if (!isLarge) fs.closeSync(fd);
    }
  }

  /**
   * Reads a file into the batch unless it is large; once more if it changed meanwhile.
   *
   * @returns its stat
   */
  #smallFile(fd: number, path: RawPath): BigIntStats {
    const memory = this.#content();
    let before: BigIntStats | undefined;
    for (let attempt = 0; attempt < 3; attempt++) {
      let length = readAll(fd, memory, this.#filled, PROBE_BYTES + 1);
      let after = regularStat(fd, path);
      if (after.size > SMALL_FILE_BYTES) return after;
      if (length > PROBE_BYTES) {
        length += readAll(fd, memory, this.#filled + length, SMALL_FILE_BYTES + 1 - length, length);
        after = regularStat(fd, path);
      }
      // Nothing has changed it since long before, or at least not since the last look at it.
      const isStable =
        isSettled(after, this.#nowNs) || (before !== undefined && isUnchanged(before, after));
      if (isStable && BigInt(length) === after.size) {
        this.#events.file(length, isExecutable(after));
        this.#filled += length;
        return after;
      }
      before = after;
    }
    throw ImportError.at("changed", path, "the file changed while it was read");
  }

  *#largeFile({ fd, path, stat }: OpenFile): Generator<TreeBatch, void, undefined> {
    try {
      const size = Number(stat.size);
      this.#events.largeFile(size, isExecutable(stat));
      yield this.#batch();
      for (let offset = 0; offset < size; ) {
        const memory = this.#takeMemory();
        const length = Math.min(BATCH_BYTES, size - offset);
        const complete = readAll(fd, memory, 0, length, offset) === length;
        offset += length;
        const isLast = offset === size;
        // What was read is on its way already: unlike a small file it cannot be read again.
        if (!complete || (isLast && !isUnchanged(stat, fs.fstatSync(fd, { bigint: true })))) {
          throw ImportError.at("changed", path, "the file changed while it was read");
        }
        yield { events: new Uint8Array(0), memory, length, piece: isLast ? "last" : "more" };
      }
    } catch (error) {
      throw importError(error, path);
    } finally {
      fs.closeSync(fd);
    }
  }

  #isFull(): boolean {
    return (
      this.#filled + SMALL_FILE_BYTES >= BATCH_BYTES || this.#events.byteLength > MAX_EVENT_BYTES
    );
  }

  #content(): Uint8Array {
    this.#memory ??= this.#takeMemory();
    return this.#memory;
  }

  #batch(): TreeBatch {
    const batch = { events: this.#events.take(), memory: this.#content(), length: this.#filled };
    this.#memory = undefined;
    this.#filled = 0;
    return batch;
  }
}

function unsupported(path: RawPath): ImportError {
  return ImportError.at(
    "unsupported-type",
    path,
    "it is neither a file, a directory nor a symbolic link",
  );
}

/** Only the owner's bit counts, as for Nix. */
function isExecutable(stat: BigIntStats): boolean {
  return (stat.mode & 0o100n) !== 0n;
}

function isUnchanged(before: BigIntStats, after: BigIntStats): boolean {
  return (
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs
  );
}

function checkSameDirectory(path: RawPath, before: BigIntStats, after: BigIntStats): void {
  if (after.ino !== before.ino || after.dev !== before.dev || !after.isDirectory())
    throw ImportError.at("changed", path, "the directory was replaced while it was read");
}

/** What is gone after the root was found was there before. */
function vanished(error: unknown): unknown {
  if (!(error instanceof ImportError) || error.reason !== "not-found") return error;
  const message = `Cannot import "${error.path}": it vanished while the tree was read`;
  return ImportError.restore("changed", error.path, message, { cause: error });
}

/** The names in a directory, in any order. */
function list(path: RawPath): Listed[] {
  const at = toFsPath(path);
  try {
    return fs.readdirSync(at, { withFileTypes: true, encoding: "latin1" });
  } catch {
    // Where the file system does not say types, Node looks for them itself, and does not find names
    // that are not ASCII. Any other error comes again.
    return listWithoutTypes(path, at);
  }
}

function listWithoutTypes(path: RawPath, at: string | Buffer): Listed[] {
  try {
    const names = fs.readdirSync(at, { encoding: "latin1" });
    return names.map((name) => ({ name, isFile: () => false }));
  } catch (error) {
    throw importError(error, path);
  }
}

function lstat(path: RawPath): BigIntStats {
  try {
    return fs.lstatSync(toFsPath(path), { bigint: true });
  } catch (error) {
    throw importError(error, path);
  }
}

function readLink(path: RawPath): string {
  let target: string;
  try {
    target = fs.readlinkSync(toFsPath(path), "latin1");
  } catch (error) {
    throw importError(error, path);
  }
  // The system's own rule, which not every file system keeps to.
  if (target === "" || target.length > MAX_SYMLINK_TARGET_LENGTH || target.includes("\0"))
    throw ImportError.at("invalid", path, "its target is empty, too long, or has a NUL byte");
  return target;
}

function openFile(path: RawPath): number {
  try {
    return fs.openSync(toFsPath(path), OPEN_FLAGS);
  } catch (error) {
    // What O_NOFOLLOW says of a link, which was something else when its directory was read.
    if (error instanceof Error && "code" in error && error.code === "ELOOP")
      throw ImportError.at("changed", path, "it became a symbolic link while it was read");
    throw importError(error, path);
  }
}

function regularStat(fd: number, path: RawPath): BigIntStats {
  const stat = fs.fstatSync(fd, { bigint: true });
  if (!stat.isFile()) throw unsupported(path);
  if (stat.size > BigInt(Number.MAX_SAFE_INTEGER))
    throw ImportError.at("invalid", path, "it is too large");
  return stat;
}

/** Fills `memory` from `offset` on; returns how many bytes there were, up to `length`. */
function readAll(
  fd: number,
  memory: Uint8Array,
  offset: number,
  length: number,
  position = 0,
): number {
  let filled = 0;
  while (filled < length) {
    const count = fs.readSync(fd, memory, offset + filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
