import { describe, expect, it } from "vitest";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../nodes/directory.js";
import { directoryServiceSuite } from "../testing/directory-service-suite.js";
import { EMPTY_DIGEST } from "../testing/fixtures.js";
import { walkClosure } from "../traversal/walk.js";
import { directoryDigest } from "../wire/directory-digest.js";
import type { DirectoryService } from "./directory-service.js";
import { MemoryDirectoryService } from "./memory.js";

directoryServiceSuite("memory", async () => ({ service: new MemoryDirectoryService() }));

describe("MemoryDirectoryService", () => {
  it("has the empty Directory from the start", async () => {
    const service = new MemoryDirectoryService();
    expect((await service.get(EMPTY_DIGEST))?.entries).toEqual([]);
  });
});

/** A service that takes any Directory: the part of the suite that is about missing children. */
class UncheckedDirectoryService implements DirectoryService {
  readonly #directories = new Map<string, Directory>();
  readonly #checked = new MemoryDirectoryService();

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    options.signal?.throwIfAborted();
    return this.#directories.get(digest.key) ?? this.#checked.get(digest);
  }

  getRecursive(digest: B3Digest, options: CallOptions = {}): AsyncIterable<Directory> {
    return walkClosure((child, call) => this.get(child, call), digest, options);
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    options.signal?.throwIfAborted();
    const digest = directoryDigest(directory);
    this.#directories.set(digest.key, directory);
    return digest;
  }

  putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    return this.#checked.putMultiple(directories, options);
  }
}

directoryServiceSuite("unchecked", async () => ({ service: new UncheckedDirectoryService() }), {
  checksChildren: false,
});
