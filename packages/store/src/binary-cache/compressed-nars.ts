import { type CallOptions, orAbort, Semaphore, toLatin1 } from "@tvix/castore";
import { compressFile } from "../compression/compress-file.js";
import type { FileCompression } from "../compression/encoder.js";
import { StoreError } from "../errors.js";
import type { NarLayouts } from "../nar/nar-layouts.js";
import type { CastoreServices } from "../nar/renderer.js";
import { verifiedNar } from "../nar/verified-nar.js";
import type { NarRoots } from "../nar-roots/nar-roots.js";
import type { PathInfo } from "../path-info.js";
import { createSha256 } from "../sha256/sha256.js";
import type { KeptNar } from "./kept-nar.js";
import type { KeptNars } from "./kept-nars.js";

/** NARs that are compressed at a time; each takes most of a core. */
const AT_A_TIME = 2;

/** NARs that wait for that at most: those beyond are served as they are, until somebody asks again. */
const MAX_WAITING = 1000;

/** How long what could not be compressed is left alone, in milliseconds. */
const PAUSE_MS = 60_000;

/** What compressed NARs are made of, and where they go. */
export interface CompressedNarsParts extends Pick<CastoreServices, "blobs"> {
  readonly layouts: NarLayouts;
  readonly narRoots: NarRoots;
  readonly kept: KeptNars;
}

export interface CompressedNarsOptions {
  readonly compression: FileCompression;
  /** How long {@link CompressedNars.get} waits, in milliseconds. */
  readonly maxWait: number;
  /** Is told why a NAR could not be compressed. */
  readonly onError: (error: unknown) => void;
}

/**
 * Compresses NARs, each once: the first time that somebody asks, or when it was uploaded. The work goes on
 * when who asked has gone: the next one will ask for the same.
 */
export class CompressedNars {
  readonly #parts: CompressedNarsParts;
  readonly #options: CompressedNarsOptions;
  readonly #closing = new AbortController();
  /** By the hash of the NAR. */
  readonly #flights = new Map<string, Promise<KeptNar | undefined>>();
  readonly #places = new Semaphore(AT_A_TIME);
  /** When what failed may be tried again. */
  readonly #failed = new Map<string, number>();

  constructor(parts: CompressedNarsParts, options: CompressedNarsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** How the files are compressed. */
  get compression(): FileCompression {
    return this.#options.compression;
  }

  /**
   * The file with the NAR of `pathInfo`; `undefined` when it cannot be had, or not soon.
   *
   * @throws what the services throw that know which files are kept
   */
  async get(pathInfo: PathInfo, { signal }: Required<CallOptions>): Promise<KeptNar | undefined> {
    const { compression, maxWait } = this.#options;
    const known = await this.#parts.kept.get(pathInfo.narSha256, compression, { signal });
    if (known !== undefined) return known;
    return await soon(this.#flight(pathInfo), maxWait, signal);
  }

  /** Begins with what will be asked for. */
  prepare(pathInfo: PathInfo): void {
    void this.#flight(pathInfo);
  }

  /** Gives up what is under way, and waits for its end. */
  async close(): Promise<void> {
    this.#closing.abort(new StoreError("UNAVAILABLE", "Cannot compress: the cache is closed"));
    await Promise.all(this.#flights.values());
  }

  /** Never rejects. */
  #flight(pathInfo: PathInfo): Promise<KeptNar | undefined> {
    const key = toLatin1(pathInfo.narSha256);
    const known = this.#flights.get(key);
    if (known !== undefined) return known;
    if (this.#closing.signal.aborted || this.#flights.size >= MAX_WAITING || this.#hasFailed(key)) {
      return Promise.resolve(undefined);
    }
    const flight = this.#attempt(pathInfo, key).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  async #attempt(pathInfo: PathInfo, key: string): Promise<KeptNar | undefined> {
    const { signal } = this.#closing;
    try {
      return await this.#places.run(() => this.#make(pathInfo, signal));
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#options.onError(error);
      if (this.#failed.size >= MAX_WAITING) this.#failed.clear();
      this.#failed.set(key, performance.now() + PAUSE_MS);
      return undefined;
    }
  }

  async #make(pathInfo: PathInfo, signal: AbortSignal): Promise<KeptNar> {
    signal.throwIfAborted();
    const { blobs, layouts, narRoots, kept } = this.#parts;
    const { compression } = this.#options;
    const { node, narSha256 } = pathInfo;
    // Another process may have been faster.
    const known = await kept.get(narSha256, compression, { signal });
    if (known !== undefined) return known;
    const layout = await layouts.get(node, { signal });
    const missing = await layout.missing({ signal });
    if (missing !== undefined) throw missing;
    const nar = verifiedNar(layout.stream({}, { signal }), pathInfo);
    const hash = createSha256();
    let fileSize = 0;
    async function* file(): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const bytes of compressFile(compression, nar)) {
        hash.update(bytes);
        fileSize += bytes.byteLength;
        yield bytes;
      }
    }
    const blob = await blobs.put(file(), { signal });
    const made = { compression, fileSha256: hash.digest(), fileSize, blob };
    await narRoots.putFile(made.fileSha256, narSha256, { signal });
    await kept.put(narSha256, made, { signal });
    return made;
  }

  #hasFailed(key: string): boolean {
    const until = this.#failed.get(key);
    if (until === undefined) return false;
    if (performance.now() < until) return true;
    this.#failed.delete(key);
    return false;
  }
}

/** What `result` fulfils with, or `undefined` after `maxWait` milliseconds. */
async function soon<T>(
  result: Promise<T>,
  maxWait: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const given = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), maxWait);
  });
  try {
    return await orAbort(Promise.race([result, given]), signal);
  } finally {
    clearTimeout(timer);
  }
}
