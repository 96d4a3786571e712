import {
  type B3Digest,
  type CallOptions,
  type Directory,
  type DirectoryNode,
  type DirectoryService,
  directoryDigest,
  encodeDirectory,
  type Node,
  type OpenBlob,
  openBlobs,
  Semaphore,
  whenAll,
} from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { CastoreServices } from "../nar/renderer.js";
import { isRootStored } from "../nar-roots/is-root-stored.js";

/** What a copy had to do. */
export interface CopiedTree {
  /** Content and Directories that the target did not have, in bytes before compression. */
  readonly bytesMoved: number;
  /** What it had. */
  readonly bytesKnown: number;
}

export interface CopyTreeOptions extends CallOptions {
  /**
   * Where a Directory is looked for first. "target" is right when the target is near and the source is
   * not, and reads nothing twice that is there; "source" when it is the other way round. "source" by default.
   */
  readonly near?: "source" | "target";
  /**
   * Bytes of blobs that are on their way at a time, to be shared by copies that run side by side; 32 MiB for each copy
   * by default.
   */
  readonly bytesInFlight?: Semaphore;
}

/** Directories that are asked for at a time. */
const DIRECTORIES_AT_A_TIME = 64;
/**
 * Objects below a Directory up to which all its Directories are fetched together, also those that the target may have:
 * that is a few hundred kilobytes, and one round trip in the place of one for each level.
 */
const WHOLE_CLOSURE_OBJECTS = 4096n;
/** Blobs that are asked for at a time. */
const BLOBS_AT_A_TIME = 16_384;
/** Large blobs of one tree that are moved at a time. */
const LARGE_BLOBS_AT_A_TIME = 4;
/** What a large blob takes in memory while it is moved, in bytes, about. */
const LARGE_BLOB_BYTES = 8 * 1024 * 1024;
const BYTES_IN_FLIGHT = 32 * 1024 * 1024;
/** Blobs up to this size are moved many at a time. */
const SMALL_BLOB_BYTES = 128 * 1024;
/** Bytes of blobs that are moved at a time. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Most that a blob can have to count in numbers. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

/**
 * Copies a tree from one castore to another, only what is missing there: blobs first, then Directories,
 * children before parents, so that nobody ever sees a root of something incomplete.
 *
 * Nothing is copied when the target has the root, as a store only takes a root after all that is below it.
 *
 * @throws {@link StoreError} with code "MISSING_REFERENCE" when the source does not have all of it; what the
 *   services throw passes through as it is
 */
export async function copyTree(
  source: CastoreServices,
  target: CastoreServices,
  root: Node,
  options: CopyTreeOptions = {},
): Promise<CopiedTree> {
  const copy = new TreeCopy(source, target, options);
  if (await isRootStored(target, root, options)) {
    return { bytesMoved: 0, bytesKnown: root.type === "symlink" ? 0 : Number(root.size) };
  }
  if (root.type === "file") await copy.blobs([{ digest: root.digest, size: Number(root.size) }]);
  if (root.type === "directory") await copy.directory(root);
  return copy;
}

/** A blob that a Directory names. */
interface NamedBlob {
  readonly digest: B3Digest;
  readonly size: number;
}

class TreeCopy implements CopiedTree {
  bytesMoved = 0;
  bytesKnown = 0;
  readonly #source: CastoreServices;
  readonly #target: CastoreServices;
  readonly #call: CallOptions;
  readonly #near: "source" | "target";
  readonly #bytesInFlight: Semaphore;

  constructor(source: CastoreServices, target: CastoreServices, options: CopyTreeOptions) {
    this.#source = source;
    this.#target = target;
    this.#call = options.signal === undefined ? {} : { signal: options.signal };
    this.#near = options.near ?? "source";
    this.#bytesInFlight = options.bytesInFlight ?? new Semaphore(BYTES_IN_FLIGHT);
  }

  async directory(root: DirectoryNode): Promise<void> {
    const found = await this.#find(root);
    const blobs = new Map<string, NamedBlob>();
    for (const { directory, isKnown } of found.values()) {
      const { byteLength } = encodeDirectory(directory);
      if (isKnown) this.bytesKnown += byteLength;
      else this.bytesMoved += byteLength;
      // What a Directory names was there before it.
      if (isKnown) continue;
      for (const { node } of directory.entries) {
        if (node.type !== "file") continue;
        blobs.set(node.digest.key, {
          digest: node.digest,
          size: Math.min(MAX_BYTES, Number(node.size)),
        });
      }
    }
    await this.blobs([...blobs.values()]);
    await this.#target.directories.putMultiple(leavesFirst(root.digest, found), this.#call);
  }

  /** Copies blobs that are not there. */
  async blobs(all: readonly NamedBlob[]): Promise<void> {
    const large = new Semaphore(LARGE_BLOBS_AT_A_TIME);
    for (let i = 0; i < all.length; i += BLOBS_AT_A_TIME) {
      const asked = all.slice(i, i + BLOBS_AT_A_TIME);
      const digests = asked.map(({ digest }) => digest);
      const stored = await this.#target.blobs.hasMany(digests, this.#call);
      const missing = asked.filter((_, k) => stored[k] !== true);
      for (const { size } of asked) this.bytesKnown += size;
      for (const { size } of missing) this.bytesKnown -= size;
      const small = missing.filter(({ size }) => size <= SMALL_BLOB_BYTES);
      const others = missing.filter(({ size }) => size > SMALL_BLOB_BYTES);
      await whenAll([
        ...[...batches(small)].map((batch) => this.#moveSmall(batch)),
        ...others.map((blob) => large.run(() => this.#moveLarge(blob), this.#call.signal)),
      ]);
    }
  }

  async #moveSmall(batch: readonly NamedBlob[]): Promise<void> {
    const weight = batch.reduce((sum, { size }) => sum + size, 0);
    const release = await this.#bytesInFlight.acquire(this.#call.signal, weight);
    try {
      const digests = batch.map(({ digest }) => digest);
      const options = { ...this.#call, inlineBytes: SMALL_BLOB_BYTES };
      const opened = await openBlobs(this.#source.blobs, digests, options);
      const contents = await whenAll(
        batch.map(({ digest, size }, i) => this.#content(opened[i], digest, size)),
      );
      // They were asked for a moment ago.
      const call = { ...this.#call, areMissing: true };
      const stored = await this.#target.blobs.putMany(contents, call);
      for (const [i, digest] of digests.entries()) {
        this.#count((contents[i] as Uint8Array).byteLength, digest, stored[i]);
      }
    } finally {
      release();
    }
  }

  async #content(blob: OpenBlob | undefined, digest: B3Digest, size: number): Promise<Uint8Array> {
    if (blob === undefined) throw missing("blob", digest);
    const actual = blob instanceof Uint8Array ? blob.byteLength : blob.size;
    // A Directory may lie about it.
    if (actual !== size) throw otherSize(digest, actual, size);
    if (blob instanceof Uint8Array) return blob;
    return await collect(blob.stream({}, this.#call), blob.size);
  }

  async #moveLarge({ digest, size }: NamedBlob): Promise<void> {
    const release = await this.#bytesInFlight.acquire(this.#call.signal, LARGE_BLOB_BYTES);
    try {
      const blob = await this.#source.blobs.openRead(digest, this.#call);
      if (blob === undefined) throw missing("blob", digest);
      if (blob.size !== size) throw otherSize(digest, blob.size, size);
      const stored = await this.#target.blobs.put(blob.stream({}, this.#call), this.#call);
      this.#count(blob.size, digest, stored);
    } finally {
      release();
    }
  }

  #count(byteLength: number, expected: B3Digest, stored: B3Digest | undefined): void {
    if (stored?.equals(expected) !== true) {
      const message = `Cannot copy blob ${expected}: what came has the digest ${stored}`;
      throw new StoreError("CORRUPT", message);
    }
    this.bytesMoved += byteLength;
  }

  /** All Directories of a closure whose root the target does not have. */
  async #find(root: DirectoryNode): Promise<ReadonlyMap<string, FoundDirectory>> {
    const found = new Map<string, FoundDirectory>();
    const seen = new Set([root.digest.key]);
    for (let level: DirectoryNode[] = [root]; level.length > 0; ) {
      const next: DirectoryNode[] = [];
      for (let i = 0; i < level.length; i += DIRECTORIES_AT_A_TIME) {
        const some = level.slice(i, i + DIRECTORIES_AT_A_TIME);
        const children = await whenAll(some.map((node) => this.#take(node, found, node === root)));
        for (const { node } of children.flat()) {
          if (node.type !== "directory" || seen.has(node.digest.key)) continue;
          seen.add(node.digest.key);
          if (!found.has(node.digest.key)) next.push(node);
        }
      }
      level = next;
    }
    return found;
  }

  /** Finds a Directory, or all below it. @returns the entries that are still to be looked at */
  async #take(
    node: DirectoryNode,
    found: Map<string, FoundDirectory>,
    isMissing: boolean,
  ): Promise<Directory["entries"]> {
    const { digest, size } = node;
    const { directories } = this.#source;
    if (this.#near === "target" && !isMissing) {
      // What is below it is there as well.
      if (await addClosure(this.#target.directories, digest, true, found, this.#call)) return [];
    }
    if (this.#near === "source" || size <= WHOLE_CLOSURE_OBJECTS) {
      if (await addClosure(directories, digest, false, found, this.#call)) return [];
      throw missing("directory", digest);
    }
    const directory = await directories.get(digest, this.#call);
    if (directory === undefined) throw missing("directory", digest);
    found.set(digest.key, { directory, isKnown: false });
    return directory.entries;
  }
}

/** Adds the Directories of a closure. @returns whether there are any */
async function addClosure(
  directories: DirectoryService,
  root: B3Digest,
  isKnown: boolean,
  found: Map<string, FoundDirectory>,
  call: CallOptions,
): Promise<boolean> {
  let isThere = false;
  for await (const directory of directories.getRecursive(root, call)) {
    isThere = true;
    const { key } = directoryDigest(directory);
    // One that the target has is there, whoever has given it.
    if (isKnown || found.get(key)?.isKnown !== true) found.set(key, { directory, isKnown });
  }
  return isThere;
}

/** A Directory, and whether the target was seen to have it. */
interface FoundDirectory {
  readonly directory: Directory;
  readonly isKnown: boolean;
}

/** Every Directory after all of its children, each once. */
function* leavesFirst(
  root: B3Digest,
  found: ReadonlyMap<string, FoundDirectory>,
): Generator<Directory, void, undefined> {
  const done = new Set<string>();
  const open = [{ key: root.key, next: 0 }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { directory } = found.get(top.key) as FoundDirectory;
    const entry = directory.entries[top.next++];
    if (entry === undefined) {
      open.pop();
      done.add(top.key);
      yield directory;
    } else if (entry.node.type === "directory" && !done.has(entry.node.digest.key)) {
      open.push({ key: entry.node.digest.key, next: 0 });
    }
  }
}

function* batches(blobs: readonly NamedBlob[]): Generator<readonly NamedBlob[], void, undefined> {
  let batch: NamedBlob[] = [];
  let bytes = 0;
  for (const blob of blobs) {
    batch.push(blob);
    bytes += Math.min(blob.size, SMALL_BLOB_BYTES);
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

async function collect(source: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for await (const part of source) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes.subarray(0, offset);
}

function otherSize(digest: B3Digest, actual: number, stated: number): StoreError {
  const what = `it has ${actual} bytes, and a directory says ${stated}`;
  return new StoreError("CORRUPT", `Cannot copy blob ${digest}: ${what}`);
}

function missing(what: string, digest: B3Digest): StoreError {
  return new StoreError("MISSING_REFERENCE", `Cannot copy ${what} ${digest}: it is not there`);
}
