import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { DirectorySizeRule } from "../nodes/directory.js";
import type { Node } from "../nodes/node.js";
import type { TreeObserver } from "./tree-observer.js";

/** How far an import has come. */
export interface IngestProgress {
  /** Files, directories and links seen so far. */
  readonly entries: number;
  readonly files: number;
  /** Bytes of file content read so far. */
  readonly bytes: number;
}

/**
 * Where an import puts things. Content comes to the blob service, and to an observer, as views of
 * shared memory, which some interfaces of the platform do not take (WebCrypto, text decoders).
 */
export interface IngestServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

export interface IngestOptions extends CallOptions {
  /** How `size` of a directory counts; "documented" by default. */
  readonly sizeRule?: DirectorySizeRule;
  /** Is told the tree in NAR order, unless the stat cache proves it unchanged. */
  readonly observer?: TreeObserver;
  /** Lets a tree that has not changed since its last import cost no more than a look at each entry. */
  readonly statCache?: StatCache;
  /** Called now and then, not for every file. */
  readonly onProgress?: (progress: IngestProgress) => void;
}

/** What an import made of a path. */
export interface IngestResult {
  readonly node: Node;
  /** Whether the observer was told the whole tree; false when the stat cache made reading needless. */
  readonly observed: boolean;
  readonly progress: IngestProgress;
}

/** Remembers, directory by directory, what the last import of a path found; it may forget. */
export interface StatCache {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  putMany(
    entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[],
  ): Promise<void>;
}
