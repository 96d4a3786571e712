import { concatBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { blake3 } from "../hasher/blake3.js";
import { LastUsed } from "../last-used.js";
import type { Directory } from "../nodes/directory.js";
import { childrenOf, leavesToRoot } from "../traversal/closure-order.js";
import { decodeDirectory } from "../wire/directory-codec.js";
import { digestDirectory } from "../wire/directory-digest.js";
import { type CacheNotes, NoteQueue } from "./cache-notes.js";

/** Directories of far that a cache has, each by itself: what they refer to need not be there. */
export interface KeptDirectories {
  get(digest: B3Digest): Promise<Directory | undefined>;
  /** Keeps a Directory that was verified. Never fails and nobody waits: it may be lost. */
  add(directory: Directory): void;
  /** How many were lost so far. */
  readonly losses: number;
  /** Whether all below `root` was added once. */
  hasClosure(root: B3Digest): Promise<boolean>;
  /**
   * Says that all below `root` was added. Never fails.
   *
   * @param lossesBefore - {@link losses} before any of it was added
   */
  addClosure(root: B3Digest, lossesBefore: number): Promise<void>;
  /** Fulfils when what was added is as durable as it will ever be. */
  flush(): Promise<void>;
}

/** Encoded Directories that are remembered, in bytes together. */
const MAX_REMEMBERED_BYTES = 64 * 1024 * 1024;

/** Keeps single Directories in memory, and gives whole closures to the store that is near. */
export class RememberedDirectories implements KeptDirectories {
  readonly losses: number = 0;
  readonly #near: DirectoryService;
  readonly #onError: (error: unknown) => void;
  readonly #encoded = new LastUsed<string, Uint8Array>(
    MAX_REMEMBERED_BYTES,
    (encoded) => encoded.byteLength,
  );

  constructor(near: DirectoryService, onError: (error: unknown) => void) {
    this.#near = near;
    this.#onError = onError;
  }

  async get(digest: B3Digest): Promise<Directory | undefined> {
    const encoded = this.#encoded.get(digest.key);
    return encoded && decodeDirectory(encoded);
  }

  add(directory: Directory): void {
    const { digest, encoded } = digestDirectory(directory);
    this.#encoded.add(digest.key, encoded);
  }

  /** Those that near has are found there. */
  async hasClosure(): Promise<boolean> {
    return false;
  }

  /** Does nothing when the closure is larger than what is remembered. */
  async addClosure(root: B3Digest): Promise<void> {
    const closure = this.#closureOf(root);
    const directory = closure?.get(root.key);
    if (closure === undefined || directory === undefined) return;
    try {
      await this.#near.putMultiple(leavesToRoot(directory, closure));
    } catch (error) {
      this.#onError(error);
      return;
    }
    for (const key of closure.keys()) this.#encoded.delete(key);
  }

  async flush(): Promise<void> {}

  /** `undefined` when a part of it was forgotten. */
  #closureOf(root: B3Digest): Map<string, Directory> | undefined {
    const closure = new Map<string, Directory>();
    const open = [root];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      if (closure.has(digest.key)) continue;
      const encoded = this.#encoded.get(digest.key);
      if (encoded === undefined) return undefined;
      const directory = decodeDirectory(encoded);
      closure.set(digest.key, directory);
      open.push(...childrenOf(directory));
    }
    return closure;
  }
}

/** Behind a digest, it makes the key of the note that says that the whole closure is there. */
const CLOSURE_MARK = Uint8Array.of(1);

/** Keeps all in notes. The store that is near gets nothing. */
export class NotedDirectories implements KeptDirectories {
  readonly #notes: NoteQueue;

  constructor(notes: CacheNotes, onError: (error: unknown) => void) {
    this.#notes = new NoteQueue(notes, onError);
  }

  get losses(): number {
    return this.#notes.losses;
  }

  /** What is damaged is not there. */
  async get(digest: B3Digest): Promise<Directory | undefined> {
    const encoded = await this.#notes.get(digest.toBytes());
    if (encoded === undefined || !blake3(encoded).equals(digest)) return undefined;
    return decodeDirectory(encoded);
  }

  add(directory: Directory): void {
    const { digest, encoded } = digestDirectory(directory);
    this.#notes.put(digest.toBytes(), encoded);
  }

  async hasClosure(root: B3Digest): Promise<boolean> {
    return (await this.#notes.get(closureKey(root))) !== undefined;
  }

  async addClosure(root: B3Digest, lossesBefore: number): Promise<void> {
    await this.#notes.flush();
    if (this.losses !== lossesBefore) return;
    this.#notes.put(closureKey(root), CLOSURE_MARK);
    await this.#notes.flush();
  }

  flush(): Promise<void> {
    return this.#notes.flush();
  }
}

function closureKey(root: B3Digest): Uint8Array {
  return concatBytes([root.toBytes(), CLOSURE_MARK]);
}
