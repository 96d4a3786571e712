import {
  type B3Digest,
  type CallOptions,
  type Directory,
  type DirectoryNode,
  encodeDirectory,
  type Node,
  type OpenBlob,
  openBlobs,
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
}

/** Directories that are asked for at a time. */
const DIRECTORIES_AT_A_TIME = 32;
/** Blobs that are asked for at a time. */
const BLOBS_AT_A_TIME = 512;
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

  constructor(source: CastoreServices, target: CastoreServices, options: CopyTreeOptions) {
    this.#source = source;
    this.#target = target;
    this.#call = options.signal === undefined ? {} : { signal: options.signal };
    this.#near = options.near ?? "source";
  }

  async directory(root: DirectoryNode): Promise<void> {
    const found = await this.#find(root.digest);
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
    for (let i = 0; i < all.length; i += BLOBS_AT_A_TIME) {
      const asked = all.slice(i, i + BLOBS_AT_A_TIME);
      const digests = asked.map(({ digest }) => digest);
      const stored = await this.#target.blobs.hasMany(digests, this.#call);
      const missing = asked.filter((_, k) => stored[k] !== true);
      for (const { size } of asked) this.bytesKnown += size;
      for (const { size } of missing) this.bytesKnown -= size;
      for (const batch of batches(missing)) await this.#move(batch);
    }
  }

  async #move(batch: readonly NamedBlob[]): Promise<void> {
    const digests = batch.map(({ digest }) => digest);
    const opened = await openBlobs(this.#source.blobs, digests, {
      ...this.#call,
      inlineBytes: SMALL_BLOB_BYTES,
    });
    const whole: { bytes: Uint8Array; digest: B3Digest }[] = [];
    for (const [i, { digest }] of batch.entries()) {
      const bytes = await this.#content(opened[i], digest);
      if (bytes !== undefined) whole.push({ bytes, digest });
    }
    const stored = await this.#target.blobs.putMany(
      whole.map(({ bytes }) => bytes),
      this.#call,
    );
    for (const [i, { bytes, digest }] of whole.entries()) {
      this.#count(bytes.byteLength, digest, stored[i]);
    }
  }

  /** Moves a large blob; a small one is for the caller. */
  async #content(blob: OpenBlob | undefined, digest: B3Digest): Promise<Uint8Array | undefined> {
    if (blob === undefined) throw missing("blob", digest);
    if (blob instanceof Uint8Array) return blob;
    if (blob.size <= SMALL_BLOB_BYTES) return await collect(blob.stream({}, this.#call), blob.size);
    const stored = await this.#target.blobs.put(blob.stream({}, this.#call), this.#call);
    this.#count(blob.size, digest, stored);
    return undefined;
  }

  #count(byteLength: number, expected: B3Digest, stored: B3Digest | undefined): void {
    if (stored?.equals(expected) !== true) {
      const message = `Cannot copy blob ${expected}: what came has the digest ${stored}`;
      throw new StoreError("CORRUPT", message);
    }
    this.bytesMoved += byteLength;
  }

  /** All Directories of a closure, level by level. */
  async #find(root: B3Digest): Promise<ReadonlyMap<string, FoundDirectory>> {
    const found = new Map<string, FoundDirectory>();
    const seen = new Set([root.key]);
    for (let level: B3Digest[] = [root]; level.length > 0; ) {
      const next: B3Digest[] = [];
      for (let i = 0; i < level.length; i += DIRECTORIES_AT_A_TIME) {
        const digests = level.slice(i, i + DIRECTORIES_AT_A_TIME);
        const directories = await Promise.all(digests.map((digest) => this.#get(digest)));
        for (const [k, digest] of digests.entries()) {
          const entry = directories[k] as FoundDirectory;
          found.set(digest.key, entry);
          for (const { node } of entry.directory.entries) {
            if (node.type !== "directory" || seen.has(node.digest.key)) continue;
            seen.add(node.digest.key);
            next.push(node.digest);
          }
        }
      }
      level = next;
    }
    return found;
  }

  async #get(digest: B3Digest): Promise<FoundDirectory> {
    if (this.#near === "target") {
      const known = await this.#target.directories.get(digest, this.#call);
      if (known !== undefined) return { directory: known, isKnown: true };
    }
    const directory = await this.#source.directories.get(digest, this.#call);
    if (directory === undefined) throw missing("directory", digest);
    return { directory, isKnown: false };
  }
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

function missing(what: string, digest: B3Digest): StoreError {
  return new StoreError("MISSING_REFERENCE", `Cannot copy ${what} ${digest}: it is not there`);
}
