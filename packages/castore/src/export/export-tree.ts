import fs from "node:fs";
import path from "node:path";
import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import { toLatin1 } from "../bytes.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { CastoreError } from "../errors.js";
import { type RawPath, toFsPath } from "../import/raw-path.js";
import type { Directory, DirectoryEntry } from "../nodes/directory.js";
import type { FileNode, Node } from "../nodes/node.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { ContentBatches, missing, otherSize, SMALL_FILE_BYTES } from "./content-batches.js";
import { ExportError, exportError } from "./export-error.js";
import { Workshop } from "./workshop.js";

/** Where trees are exported from. */
export interface ExportServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** How far an export has come. */
export interface ExportProgress {
  /** Files, directories and links. */
  readonly entries: number;
  readonly files: number;
  /** Of their content. */
  readonly bytes: number;
}

export interface ExportTreeOptions extends CallOptions {
  /**
   * Permissions as for new files, which the umask of the process narrows; by default those of a Nix store, which nobody may
   * write: 0444, and 0555 for directories and executables.
   */
  readonly writable?: boolean;
  /**
   * Whether equal files become one with several names. They share permissions and time stamps, and what is written to one is
   * in all of them.
   */
  readonly hardlink?: boolean;
  /** Is told now and then; not for longer than a moment. */
  readonly onProgress?: (progress: ExportProgress) => void;
}

/** What stands at paths of an export. */
const MODES = {
  store: { directory: 0o555, regular: 0o444, executable: 0o555 },
  writable: { directory: 0o777, regular: 0o666, executable: 0o777 },
} as const;

/** Entries between two looks at the signal. */
const ENTRIES_AT_ONCE = 256;

/** What a file takes that nothing else is known of, about: most are small. */
const TYPICAL_FILE_BYTES = 4096;

/**
 * Writes the file, directory or symbolic link that `root` stands for to `destination`, where there must be nothing. All
 * bytes are verified. It is made beside the destination and moved there when it is complete: on failure nothing is left.
 * No link is followed but those in the path of the directory that the destination is in. Nothing is made durable.
 *
 * Several equal large files are written once, and copied by the file system, which may let them share their blocks.
 *
 * All Directories below `root` are held in memory while it runs.
 *
 * @throws {@link ExportError}
 * @throws {@link CastoreError} "MISSING_REFERENCE" and "CORRUPT"
 */
export async function exportTree(
  services: ExportServices,
  root: Node,
  destination: string | Uint8Array,
  options: ExportTreeOptions = {},
): Promise<ExportProgress> {
  options.signal?.throwIfAborted();
  const target = toTarget(destination);
  const workshop = new Workshop(target);
  try {
    const writer = new TreeWriter(services, workshop, target, options);
    await writer.write(root);
    options.signal?.throwIfAborted();
    const { directory } = MODES.store;
    workshop.publish(root.type === "directory", options.writable === true ? undefined : directory);
    return writer.progress;
  } finally {
    workshop.dispose();
  }
}

function toTarget(given: string | Uint8Array): RawPath {
  const raw = Buffer.from(given as Uint8Array).toString("latin1");
  if (raw === "") throw new ExportError("not-found", raw, "the path is empty");
  if (raw.includes("\0")) throw new ExportError("not-found", raw, "the path has a NUL byte");
  if (raw.startsWith("/")) return path.resolve(raw);
  return path.resolve(fs.realpathSync.native(".", "latin1"), raw);
}

/** A directory that is being filled. */
interface Level {
  readonly base: RawPath;
  readonly entries: Iterator<DirectoryEntry>;
}

class TreeWriter {
  readonly #services: ExportServices;
  readonly #workshop: Workshop;
  readonly #target: RawPath;
  readonly #options: ExportTreeOptions;
  readonly #call: CallOptions;
  readonly #modes: (typeof MODES)[keyof typeof MODES];
  #directories: ReadonlyMap<string, Directory> = new Map();
  #entries = 0;
  #files = 0;
  #bytes = 0;
  /** Where each content was written that others may be made of. */
  readonly #firsts = new Map<string, RawPath>();
  /** Files whose content is written elsewhere. */
  readonly #copies: { readonly at: RawPath; readonly node: FileNode; readonly from: RawPath }[] =
    [];
  readonly #large: { readonly at: RawPath; readonly node: FileNode }[] = [];
  /** Whether the umask takes something of a mode. */
  readonly #isNarrowed = new Map<number, boolean>();

  constructor(
    services: ExportServices,
    workshop: Workshop,
    target: RawPath,
    options: ExportTreeOptions,
  ) {
    this.#services = services;
    this.#workshop = workshop;
    this.#target = target;
    this.#options = options;
    this.#call = options.signal === undefined ? {} : { signal: options.signal };
    this.#modes = options.writable === true ? MODES.writable : MODES.store;
  }

  get progress(): ExportProgress {
    return { entries: this.#entries, files: this.#files, bytes: this.#bytes };
  }

  async write(root: Node): Promise<void> {
    this.#directories = await this.#closure(root);
    const expectedBytes =
      root.type === "directory" ? Number(root.size) * TYPICAL_FILE_BYTES : SMALL_FILE_BYTES;
    const batches = new ContentBatches<RawPath>(
      this.#services.blobs,
      ({ node, tag }, content) => this.#writeSmall(tag, node, content),
      { ...this.#call, expectedBytes },
    );
    try {
      await this.#walk(root, batches);
      await batches.finish();
      for (const { at, node } of this.#large) await this.#writeLarge(at, node);
      for (const copy of this.#copies) await this.#copy(copy);
    } catch (error) {
      throw exportError(error, this.#target);
    } finally {
      await batches.settle();
    }
  }

  async #closure(root: Node): Promise<ReadonlyMap<string, Directory>> {
    const found = new Map<string, Directory>();
    if (root.type !== "directory") return found;
    for await (const directory of this.#services.directories.getRecursive(
      root.digest,
      this.#call,
    )) {
      found.set(directoryDigest(directory).key, directory);
    }
    return found;
  }

  async #walk(root: Node, batches: ContentBatches<RawPath>): Promise<void> {
    const levels: Level[] = [];
    const enter = async (at: RawPath, node: Node): Promise<void> => {
      this.#entries++;
      if (this.#entries % ENTRIES_AT_ONCE === 0) await this.#pause();
      if (node.type === "symlink") {
        fs.symlinkSync(Buffer.from(node.target.toBytes()), toFsPath(at));
      } else if (node.type === "file") {
        await this.#place(at, node, batches);
      } else {
        const base = this.#workshop.makeDirectory(
          at,
          this.#options.writable === true ? 0o777 : 0o700,
        );
        levels.push({ base, entries: this.#childrenOf(node) });
      }
    };
    await enter(this.#workshop.product, root);
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const next = level.entries.next();
      if (next.done === true) levels.pop();
      else await enter(`${level.base}/${toLatin1(next.value.name.toBytes())}`, next.value.node);
    }
  }

  #childrenOf({ digest }: Extract<Node, { type: "directory" }>): Iterator<DirectoryEntry> {
    const directory = this.#directories.get(digest.key);
    if (directory !== undefined) return directory.entries[Symbol.iterator]();
    throw new CastoreError(
      "MISSING_REFERENCE",
      `Cannot export directory ${digest}: it is not stored`,
    );
  }

  /** Lets others have a turn. */
  async #pause(): Promise<void> {
    this.#options.onProgress?.(this.progress);
    await new Promise((resolve) => setImmediate(resolve));
    this.#options.signal?.throwIfAborted();
  }

  #place(at: RawPath, node: FileNode, batches: ContentBatches<RawPath>): Promise<void> | undefined {
    const isLarge = node.size > SMALL_FILE_BYTES;
    const isLinked = this.#options.hardlink === true;
    if (isLarge || isLinked) {
      const key = isLinked ? `${node.executable} ${node.digest.key}` : node.digest.key;
      const from = this.#firsts.get(key);
      if (from !== undefined) {
        this.#copies.push({ at, node, from });
        return undefined;
      }
      this.#firsts.set(key, at);
    }
    if (!isLarge) return batches.add({ node, tag: at });
    this.#large.push({ at, node });
    return undefined;
  }

  #writeSmall(at: RawPath, node: FileNode, content: Uint8Array): void {
    const fd = this.#create(at, node);
    try {
      writeAll(fd, content);
    } finally {
      fs.closeSync(fd);
    }
    this.#count(node);
  }

  async #writeLarge(at: RawPath, node: FileNode): Promise<void> {
    const reader = await this.#services.blobs.openRead(node.digest, this.#call);
    if (reader === undefined) throw missing(node);
    if (reader.size !== Number(node.size)) throw otherSize(node, reader.size);
    const fd = this.#create(at, node);
    try {
      for await (const bytes of reader.stream({}, this.#call)) writeAll(fd, bytes);
    } finally {
      fs.closeSync(fd);
    }
    this.#count(node);
    await this.#pause();
  }

  /** Makes a file of one that was written, which had the same content. */
  async #copy({ at, node, from }: { at: RawPath; node: FileNode; from: RawPath }): Promise<void> {
    if (this.#options.hardlink === true) {
      fs.linkSync(toFsPath(from), toFsPath(at));
    } else {
      const { COPYFILE_EXCL, COPYFILE_FICLONE } = fs.constants;
      await fs.promises.copyFile(toFsPath(from), toFsPath(at), COPYFILE_EXCL | COPYFILE_FICLONE);
      const mode = this.#modeOf(node);
      const umask = this.#options.writable === true ? process.umask() : 0;
      fs.chmodSync(toFsPath(at), mode & ~umask);
    }
    this.#count(node);
    if (this.#files % ENTRIES_AT_ONCE === 0) await this.#pause();
  }

  #create(at: RawPath, node: FileNode): number {
    const mode = this.#modeOf(node);
    const fd = this.#workshop.createFile(at, mode);
    if (this.#options.writable === true) return fd;
    let isNarrowed = this.#isNarrowed.get(mode);
    if (isNarrowed === undefined) {
      isNarrowed = (fs.fstatSync(fd).mode & 0o777) !== mode;
      this.#isNarrowed.set(mode, isNarrowed);
    }
    if (isNarrowed) fs.fchmodSync(fd, mode);
    return fd;
  }

  #modeOf({ executable }: FileNode): number {
    return executable ? this.#modes.executable : this.#modes.regular;
  }

  #count({ size }: FileNode): void {
    this.#files++;
    this.#bytes += Number(size);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += fs.writeSync(fd, bytes, at);
}
