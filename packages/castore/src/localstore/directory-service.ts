import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { LeavesToRootValidator } from "../directoryservice/order-validator.js";
import { CastoreError } from "../errors.js";
import { Directory } from "../nodes/directory.js";
import { walkClosure } from "../traversal/walk.js";
import { decodeDirectory } from "../wire/directory-codec.js";
import { digestDirectory, directoryDigest } from "../wire/directory-digest.js";
import { RecordKind } from "./pack-format.js";
import type { StoreCore } from "./store-core.js";
import type { StoreWrites } from "./store-writes.js";

/**
 * Encoded Directories of one `putMultiple` that are held back until its end, in bytes. A larger
 * closure is written in several parts, leaves first: if it fails later, whole subtrees of it stay.
 */
const HELD_BACK_BYTES = 32 * 1024 * 1024;

const EMPTY_DIGEST = directoryDigest(Directory.EMPTY);

/**
 * Directories as records in packs. Whatever is stored has its closure stored; the empty Directory
 * counts as stored from the start.
 */
export class LocalDirectoryService implements DirectoryService {
  readonly #core: StoreCore;
  readonly #writes: StoreWrites;

  /** @param writes - decides what a promise that fulfils means */
  constructor(core: StoreCore, writes: StoreWrites = core.writes) {
    this.#core = core;
    this.#writes = writes;
  }

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    options.signal?.throwIfAborted();
    const encoded = await this.#core.read(RecordKind.DIRECTORY, digest.toBytes());
    if (encoded !== undefined) return decodeStored(digest, encoded);
    return digest.equals(EMPTY_DIGEST) ? Directory.EMPTY : undefined;
  }

  getRecursive(digest: B3Digest, options: CallOptions = {}): AsyncIterable<Directory> {
    return walkClosure((child, call) => this.get(child, call), digest, options);
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    options.signal?.throwIfAborted();
    for (const { name, node } of directory.entries) {
      if (node.type !== "directory" || this.#has(node.digest)) continue;
      throw new CastoreError(
        "MISSING_REFERENCE",
        `Cannot store directory: its child "${name}" (${node.digest}) is not stored`,
      );
    }
    const { digest, encoded } = digestDirectory(directory);
    await this.#writes.store(RecordKind.DIRECTORY, [encoded], options);
    return digest;
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const validator = new LeavesToRootValidator();
    let held: Uint8Array[] = [];
    let heldBytes = 0;
    for await (const directory of abortable(directories, options.signal)) {
      const { encoded, repeated } = validator.add(directory);
      if (repeated) continue;
      if (heldBytes + encoded.byteLength > HELD_BACK_BYTES && held.length > 0) {
        await this.#writes.store(RecordKind.DIRECTORY, held, options);
        held = [];
        heldBytes = 0;
      }
      held.push(encoded);
      heldBytes += encoded.byteLength;
    }
    const root = validator.finalize();
    options.signal?.throwIfAborted();
    await this.#writes.store(RecordKind.DIRECTORY, held, options);
    return root;
  }

  #has(digest: B3Digest): boolean {
    return digest.equals(EMPTY_DIGEST) || this.#core.has(RecordKind.DIRECTORY, digest.toBytes());
  }
}

/** What has the right digest and yet is no Directory was not put here by us. */
function decodeStored(digest: B3Digest, encoded: Uint8Array): Directory {
  try {
    return decodeDirectory(encoded);
  } catch (cause) {
    if (!CastoreError.is(cause)) throw cause;
    throw new CastoreError("CORRUPT", `Cannot read directory ${digest}: ${cause.message}`, {
      cause,
    });
  }
}
