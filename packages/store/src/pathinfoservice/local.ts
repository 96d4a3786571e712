import { type CallOptions, equalBytes, toLatin1 } from "@tvix/castore";
import type { DerivedCache, RecordStore } from "@tvix/castore/local";
import { StoreError } from "../errors.js";
import type { CastoreServices } from "../nar/renderer.js";
import { isRootStored } from "../nar-roots/is-root-stored.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { InvalidPathInfoError, type PathInfo } from "../path-info.js";
import { STORE_PATH_DIGEST_LENGTH } from "../store-path/store-path.js";
import { decodePathInfo, encodePathInfo } from "../wire/path-info-codec.js";
import { mergePathInfo } from "./merge-path-info.js";
import { assertOutputHash } from "./output-hash.js";
import type { PathInfoService, PutPathInfoOptions } from "./path-info-service.js";

export interface LocalPathInfoServiceOptions {
  /**
   * Where the roots of path infos have to be before they are put: `put` refuses one whose root is
   * not stored here. What lies below a root is the business of these services, which take a Directory
   * only after what it refers to.
   */
  readonly roots: CastoreServices;
  /**
   * Where it is noted which path has which NAR, for {@link LocalPathInfoService.findByNar}, which finds
   * nothing without.
   */
  readonly pathsOfNars?: DerivedCache;
}

/** The part of a `LocalStore` that is used by {@link LocalPathInfoService.of}. */
export interface PathInfoStore extends CastoreServices {
  readonly pathInfoRecords: RecordStore;
  derived(space: string): DerivedCache;
}

/** Keys are the SHA-256 of NARs, values output hashes. */
const PATHS_OF_NARS_SPACE = "nar-path";
/** Path infos that are remembered, by the length of their encodings together: some 10,000 of usual length. */
const MAX_REMEMBERED_BYTES = 8 * 1024 * 1024;

/**
 * Keeps path infos as records of the local store: under the output hash, the encoding of
 * {@link encodePathInfo}. What is read is checked before it is given out.
 *
 * As long as the record is the same, whoever writes to it, the same path info is given out: what has been
 * made of it may be kept with it.
 */
export class LocalPathInfoService implements PathInfoService {
  readonly #records: RecordStore;
  readonly #roots: CastoreServices;
  readonly #pathsOfNars: DerivedCache | undefined;
  /** By key in latin1; the one that was read last comes last. */
  readonly #remembered = new Map<string, Remembered>();
  #rememberedBytes = 0;

  constructor(records: RecordStore, options: LocalPathInfoServiceOptions) {
    this.#records = records;
    this.#roots = options.roots;
    this.#pathsOfNars = options.pathsOfNars;
  }

  /** The path infos of a local store. */
  static of(local: PathInfoStore): LocalPathInfoService {
    return new LocalPathInfoService(local.pathInfoRecords, {
      roots: local,
      pathsOfNars: local.derived(PATHS_OF_NARS_SPACE),
    });
  }

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    const name = toLatin1(outputHash);
    // Before the value is read: what replaces it meanwhile has another version.
    const version = this.#records.version?.(outputHash);
    const known = this.#remembered.get(name);
    if (known !== undefined && known.version === version) return known.pathInfo;
    const value = await this.#records.get(outputHash, options);
    this.#forget(name);
    if (value === undefined) return undefined;
    const pathInfo = decodeRecord(outputHash, value);
    if (version !== undefined) {
      this.#remember(name, { version, pathInfo, bytes: value.byteLength });
    }
    return pathInfo;
  }

  /** What {@link get} has given out before, if that is what is stored; nothing is read for it. */
  peek(outputHash: Uint8Array): PathInfo | undefined {
    const known = this.#remembered.get(toLatin1(outputHash));
    if (known === undefined) return undefined;
    const generation = this.#records.generation?.();
    if (generation !== undefined && generation === known.generation) return known.pathInfo;
    if (this.#records.version?.(outputHash) !== known.version) return undefined;
    known.generation = generation;
    return known.pathInfo;
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    // Fails for what cannot be encoded before anything is asked.
    encodePathInfo(pathInfo);
    if (!(await isRootStored(this.#roots, pathInfo.node, options))) {
      throw new StoreError(
        "MISSING_REFERENCE",
        `Cannot store the path info of ${pathInfo.storePath}: its root is not stored`,
      );
    }
    const [stored] = await Promise.all([
      this.#merge(pathInfo, options),
      this.#noteNar(pathInfo.narSha256, pathInfo.storePath.digestBytes()),
    ]);
    return stored;
  }

  /**
   * A path whose NAR is said to have that SHA-256: whoever has put it said so, which proves nothing.
   *
   * @param narSha256 - 32 bytes
   * @returns `undefined` when none is known, or its note was lost with the index
   */
  async findByNar(narSha256: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    options.signal?.throwIfAborted();
    const outputHash = await this.#pathsOfNars?.get(narSha256);
    if (outputHash?.byteLength !== STORE_PATH_DIGEST_LENGTH) return undefined;
    const pathInfo = await this.get(outputHash, options);
    const isIt = pathInfo !== undefined && equalBytes(pathInfo.narSha256, narSha256);
    return isIt ? pathInfo : undefined;
  }

  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    for await (const { key, value } of this.#records.list(options)) {
      options.signal?.throwIfAborted();
      yield decodeRecord(key, value);
    }
  }

  #remember(name: string, entry: Remembered): void {
    this.#remembered.set(name, entry);
    this.#rememberedBytes += entry.bytes;
    for (const oldest of this.#remembered.keys()) {
      if (this.#rememberedBytes <= MAX_REMEMBERED_BYTES) return;
      this.#forget(oldest);
    }
  }

  #forget(name: string): void {
    this.#rememberedBytes -= this.#remembered.get(name)?.bytes ?? 0;
    this.#remembered.delete(name);
  }

  async #merge(pathInfo: PathInfo, options: PutPathInfoOptions): Promise<PathInfo> {
    const key = pathInfo.storePath.digestBytes();
    let stored = pathInfo;
    const change = (value: Uint8Array | undefined): Uint8Array | undefined => {
      const known = value && decodeIfSound(key, value);
      if (known !== undefined) options.onReplace?.(known);
      stored = mergePathInfo(known, pathInfo);
      const encoded = encodePathInfo(stored);
      return value !== undefined && equalBytes(value, encoded) ? undefined : encoded;
    };
    await this.#records.update(key, change, options);
    return stored;
  }

  async #noteNar(narSha256: Uint8Array, outputHash: Uint8Array): Promise<void> {
    const noted = await this.#pathsOfNars?.get(narSha256);
    if (noted !== undefined && equalBytes(noted, outputHash)) return;
    await this.#pathsOfNars?.put(narSha256, outputHash);
  }
}

/** What is damaged is replaced, as if it were not there. */
function decodeIfSound(key: Uint8Array, value: Uint8Array): PathInfo | undefined {
  try {
    return decodeRecord(key, value);
  } catch (error) {
    if (StoreError.is(error, "CORRUPT")) return undefined;
    throw error;
  }
}

/** A record that was read. */
interface Remembered {
  readonly version: string;
  /** When it was last seen to be the one that is stored. */
  generation?: number | undefined;
  readonly pathInfo: PathInfo;
  readonly bytes: number;
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
