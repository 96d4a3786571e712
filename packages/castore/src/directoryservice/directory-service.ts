import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../nodes/directory.js";

/** Stores immutable Directories under the digest of their canonical encoding. */
export interface DirectoryService {
  /**
   * The Directory; `undefined` when it is not stored.
   *
   * @throws {@link CastoreError} "CORRUPT" when what is stored does not match the digest
   */
  get(digest: B3Digest, options?: CallOptions): Promise<Directory | undefined>;

  /**
   * All Directories under `digest`, breadth first, each once, the root first, children in the order
   * of their names. Nothing at all when the root is not stored.
   *
   * @throws {@link CastoreError} "MISSING_REFERENCE" when one below the root is not stored
   */
  getRecursive(digest: B3Digest, options?: CallOptions): AsyncIterable<Directory>;

  /**
   * Stores one Directory and returns its digest.
   *
   * @throws {@link CastoreError} "MISSING_REFERENCE" when a child Directory is not stored yet, where
   *   the implementation checks that
   */
  put(directory: Directory, options?: CallOptions): Promise<B3Digest>;

  /**
   * Stores a closure that arrives leaves first: every child before its parent, one root, which
   * comes last. Validated as a whole (see `LeavesToRootValidator`), all or nothing.
   *
   * @returns the digest of the root
   * @throws {@link InvalidDirectoryClosureError}
   */
  putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options?: CallOptions,
  ): Promise<B3Digest>;
}
