import { type CallOptions, equalBytes, type Node } from "@tvix/castore";
import type { RecordStore } from "@tvix/castore/local";
import { StoreError } from "../errors.js";
import type { CastoreServices } from "../nar/renderer.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { InvalidPathInfoError, type PathInfo } from "../path-info.js";
import { decodePathInfo, encodePathInfo } from "../wire/path-info-codec.js";
import { assertOutputHash } from "./output-hash.js";
import type { PathInfoService } from "./path-info-service.js";

export interface LocalPathInfoServiceOptions {
  /**
   * Where the roots of path infos have to be before they are put: `put` refuses one whose root is
   * not stored here. What lies below a root is the business of these services, which take a Directory
   * only after what it refers to.
   */
  readonly roots: CastoreServices;
}

/**
 * Keeps path infos as records of the local store: under the output hash, the encoding of
 * {@link encodePathInfo}. What is read is checked before it is given out.
 */
export class LocalPathInfoService implements PathInfoService {
  readonly #records: RecordStore;
  readonly #roots: CastoreServices;

  constructor(records: RecordStore, options: LocalPathInfoServiceOptions) {
    this.#records = records;
    this.#roots = options.roots;
  }

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    const value = await this.#records.get(outputHash, options);
    return value && decodeRecord(outputHash, value);
  }

  async put(pathInfo: PathInfo, options: CallOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    const value = encodePathInfo(pathInfo);
    if (!(await this.#isStored(pathInfo.node, options))) {
      throw new StoreError(
        "MISSING_REFERENCE",
        `Cannot store the path info of ${pathInfo.storePath}: its root is not stored`,
      );
    }
    await this.#records.put(pathInfo.storePath.digestBytes(), value, options);
    return pathInfo;
  }

  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    for await (const { key, value } of this.#records.list(options)) {
      options.signal?.throwIfAborted();
      yield decodeRecord(key, value);
    }
  }

  async #isStored(root: Node, options: CallOptions): Promise<boolean> {
    switch (root.type) {
      case "directory":
        return (await this.#roots.directories.get(root.digest, options)) !== undefined;
      case "file":
        return await this.#roots.blobs.has(root.digest, options);
      case "symlink":
        return true;
    }
  }
}

function decodeRecord(key: Uint8Array, value: Uint8Array): PathInfo {
  const subject = `Cannot read the path info of ${encodeNixBase32(key)}`;
  let pathInfo: PathInfo;
  try {
    pathInfo = decodePathInfo(value);
  } catch (error) {
    if (!(error instanceof InvalidPathInfoError)) throw error;
    throw new StoreError("CORRUPT", `${subject}: ${error.message}`, { cause: error });
  }
  if (!equalBytes(pathInfo.storePath.digestBytes(), key)) {
    throw new StoreError("CORRUPT", `${subject}: it is that of ${pathInfo.storePath}`);
  }
  return pathInfo;
}
