import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { Directory } from "../nodes/directory.js";
import { walkClosure } from "../traversal/walk.js";
import { decodeDirectory, encodeDirectory } from "../wire/directory-codec.js";
import { digestDirectory, directoryDigest } from "../wire/directory-digest.js";
import type { DirectoryService } from "./directory-service.js";
import { LeavesToRootValidator } from "./order-validator.js";

/**
 * Keeps Directories in memory as long as it lives, encoded, which takes a fraction of the space.
 *
 * Whatever is stored has all its closure stored: `put` refuses a Directory whose children are not
 * there. The empty Directory counts as stored from the start, since its digest tells all of it.
 */
export class MemoryDirectoryService implements DirectoryService {
  readonly #encoded = new Map<string, Uint8Array>([
    [directoryDigest(Directory.EMPTY).key, encodeDirectory(Directory.EMPTY)],
  ]);

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    options.signal?.throwIfAborted();
    const encoded = this.#encoded.get(digest.key);
    return encoded && decodeDirectory(encoded);
  }

  getRecursive(digest: B3Digest, options: CallOptions = {}): AsyncIterable<Directory> {
    // Nothing is far away here: fetching ahead would only hold more.
    return walkClosure((child, call) => this.get(child, call), digest, { ...options, prefetch: 0 });
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    options.signal?.throwIfAborted();
    for (const { name, node } of directory.entries) {
      if (node.type === "directory" && !this.#encoded.has(node.digest.key)) {
        throw new CastoreError(
          "MISSING_REFERENCE",
          `Cannot store directory: its child "${name}" (${node.digest}) is not stored`,
        );
      }
    }
    const { digest, encoded } = digestDirectory(directory);
    this.#encoded.set(digest.key, encoded);
    return digest;
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const validator = new LeavesToRootValidator();
    const closure = new Map<string, Uint8Array>();
    for await (const directory of abortable(directories, options.signal)) {
      const { digest, encoded } = validator.add(directory);
      closure.set(digest.key, encoded);
    }
    const root = validator.finalize();
    for (const [key, encoded] of closure) this.#encoded.set(key, encoded);
    return root;
  }
}
