import {
  type CallOptions,
  equalBytes,
  NegativeAnswers,
  SingleFlight,
  toLatin1,
} from "@tvix/castore";
import { parseCastoreNarUrl } from "../binary-cache/castore-nar-url.js";
import { verifyStoredContent } from "../content-address/verify-stored.js";
import { StoreError } from "../errors.js";
import type { IngestedNar } from "../nar/ingest-nar.js";
import { type CastoreServices, calculateNar } from "../nar/renderer.js";
import { pathInfoFromNarinfo } from "../narinfo/convert.js";
import { MAX_NARINFO_BYTES, type Narinfo } from "../narinfo/narinfo.js";
import { parseNarinfo } from "../narinfo/parse.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { type SignaturePolicy, signatureProblem } from "../signed-root/signature-policy.js";
import { withRetries } from "./attempts.js";
import { type CacheAddress, showUrl } from "./cache-address.js";
import { CacheClient, type CacheClientOptions, type CacheTraffic } from "./cache-client.js";
import { fetchCacheInfo, type NixCacheInfo } from "./cache-info.js";
import { copyTree } from "./copy-tree.js";
import { takeNar } from "./take-nar.js";
import { UpstreamError } from "./upstream-error.js";

/** Where what is taken from a cache goes. */
export interface NixCacheTarget extends CastoreServices {
  /** Remembers what was taken, and is asked first. */
  readonly pathInfos: PathInfoService;
}

export interface NixCacheOptions extends CacheClientOptions {
  /** Who is believed. There is no default: to believe anybody has to be said. */
  readonly signatures: SignaturePolicy;
  /** How long it is remembered that the cache does not have a path, in milliseconds; a minute by default. */
  readonly negativeTimeToLive?: number;
  /**
   * Opens the castore behind a cache that names castore nodes in its URLs, as tvix and snix do; `undefined`
   * where there is none. Then only what is missing is fetched. Called once; not used by default.
   *
   * @param authorization - what goes into `Authorization` for the cache, and for what is at the same place
   */
  readonly openCastore?: (
    cache: URL,
    authorization: string | undefined,
  ) => Promise<CastoreServices | undefined>;
}

/** What came of taking the content of a path. */
export interface TakenPath {
  /** Not yet published. */
  readonly pathInfo: PathInfo;
  /** Bytes that came over the network for it: of a compressed NAR, or of blobs and Directories. */
  readonly bytesMoved: number;
  /** How it came. */
  readonly way: "nar" | "castore";
}

/**
 * Store paths of a binary cache of Nix. Who asks for one has it afterwards: its NAR is fetched, verified,
 * stored in castore, and published in the path infos of the target.
 *
 * Everything is verified before a path is published: that the answer is about the path that was asked
 * for, who signed it, the hash and size of the file and of the NAR, and its content address where it has one.
 */
export class NixCachePathInfoService implements PathInfoService {
  readonly #client: CacheClient;
  readonly #target: NixCacheTarget;
  readonly #options: NixCacheOptions;
  readonly #absent: NegativeAnswers;
  readonly #descriptions = new SingleFlight<Narinfo | undefined>();
  readonly #paths = new SingleFlight<PathInfo | undefined>();
  readonly #opening = new SingleFlight<NixCacheInfo>();
  #info: NixCacheInfo | undefined;
  #castore: Promise<CastoreServices | undefined> | undefined;

  constructor(address: CacheAddress, target: NixCacheTarget, options: NixCacheOptions) {
    this.#client = new CacheClient(address, options);
    this.#target = target;
    this.#options = options;
    this.#absent = new NegativeAnswers(options.negativeTimeToLive ?? 60_000, this.#client.clock);
  }

  /** Where the cache is, for messages. */
  get place(): string {
    return showUrl(this.#client.url);
  }

  /** What was sent and received so far. */
  get traffic(): Readonly<CacheTraffic> {
    return this.#client.traffic;
  }

  /** Lets go of idle connections. */
  close(): void {
    this.#client.close();
  }

  /**
   * What the cache says about itself. Asked once.
   *
   * @throws {@link UpstreamError} with reason "not-a-cache" or "store-dir", among others
   */
  async info(options: CallOptions = {}): Promise<NixCacheInfo> {
    this.#info ??= await this.#opening.run(
      "",
      (signal) => fetchCacheInfo(this.#client, signal),
      options.signal,
    );
    return this.#info;
  }

  /**
   * What the cache says about a path; `undefined` when it does not have it. Who says so was verified, the
   * content was not looked at.
   *
   * @throws {@link UpstreamError}, `InvalidNarinfoError`
   */
  async describe(outputHash: Uint8Array, options: CallOptions = {}): Promise<Narinfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    const key = encodeNixBase32(outputHash);
    if (this.#absent.has(key)) return undefined;
    await this.info(options);
    return await this.#descriptions.run(
      key,
      (signal) => this.#fetchNarinfo(outputHash, key, signal),
      options.signal,
    );
  }

  /**
   * Stores the content of a path that {@link describe} has described, and verifies it. Publishing it is for
   * the caller, after what it refers to.
   *
   * @throws {@link UpstreamError}, `ContentAddressError`
   */
  async take(narinfo: Narinfo, options: CallOptions = {}): Promise<TakenPath> {
    const shared = await this.#takeFromCastore(narinfo, options);
    const { root, bytesMoved, way } = shared ?? (await this.#takeNar(narinfo, options));
    const pathInfo = pathInfoFromNarinfo(narinfo, root);
    await verifyStoredContent(this.#target, pathInfo, options);
    return { pathInfo, bytesMoved, way };
  }

  /**
   * The path info of a path that is stored in the target, or that the cache has: then it is there when the
   * promise fulfils. What it refers to is not taken with it.
   */
  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    const key = toLatin1(outputHash);
    return await this.#paths.run(key, (signal) => this.#get(outputHash, signal), options.signal);
  }

  /** @throws {@link StoreError} with code "UNSUPPORTED": a cache is written to in another way */
  async put(): Promise<never> {
    throw new StoreError(
      "UNSUPPORTED",
      `Cannot put a path info into ${this.place}: it is only read`,
    );
  }

  /** @throws {@link StoreError} with code "UNSUPPORTED": a cache does not tell what it has */
  // biome-ignore lint/correctness/useYield: nothing can be listed.
  async *list(): AsyncGenerator<PathInfo, void, undefined> {
    throw new StoreError("UNSUPPORTED", `Cannot list ${this.place}: caches have no list of paths`);
  }

  async #get(outputHash: Uint8Array, signal: AbortSignal): Promise<PathInfo | undefined> {
    const known = await this.#target.pathInfos.get(outputHash, { signal });
    if (known !== undefined) return known;
    const narinfo = await this.describe(outputHash, { signal });
    if (narinfo === undefined) return undefined;
    const { pathInfo } = await this.take(narinfo, { signal });
    return await this.#target.pathInfos.put(pathInfo, { signal });
  }

  async #fetchNarinfo(
    outputHash: Uint8Array,
    key: string,
    signal: AbortSignal,
  ): Promise<Narinfo | undefined> {
    const url = new URL(`${key}.narinfo`, this.#client.url);
    const text = await this.#client.small(url, MAX_NARINFO_BYTES, signal);
    if (text === undefined) {
      this.#absent.add(key);
      return undefined;
    }
    const narinfo = parseNarinfo(text);
    const { storePath } = narinfo;
    if (!equalBytes(storePath.digestBytes(), outputHash)) {
      const what = `asked about ${key}, ${this.place} answered about ${storePath}`;
      throw new UpstreamError("other-path", `Cannot read a narinfo: ${what}`);
    }
    const problem = signatureProblem(narinfo, this.#options.signatures);
    if (problem === undefined) return narinfo;
    throw new UpstreamError("unsigned", `Cannot take ${storePath} from ${this.place}: ${problem}`);
  }

  async #takeNar(narinfo: Narinfo, { signal }: CallOptions): Promise<Taken> {
    const attempts = this.#client.attempts(signal);
    const before = this.#client.traffic.bytesReceived;
    const { root } = await withRetries(attempts, () =>
      takeNar({ client: this.#client, target: this.#target, narinfo, attempts }, signal),
    );
    const { fileSize } = narinfo;
    const received = this.#client.traffic.bytesReceived - before;
    return { root, bytesMoved: fileSize === undefined ? received : Number(fileSize), way: "nar" };
  }

  /** Fetches what is missing of a tree; `undefined` on any doubt. */
  async #takeFromCastore(narinfo: Narinfo, options: CallOptions): Promise<Taken | undefined> {
    const url = parseCastoreNarUrl(narinfo.url);
    if (url === undefined || this.#options.openCastore === undefined) return undefined;
    if (url.narSize !== narinfo.narSize) return undefined;
    try {
      const { url: place, authorization } = this.#client;
      this.#castore ??= this.#options.openCastore(place, authorization);
      const castore = await this.#castore;
      if (castore === undefined) return undefined;
      const { root } = url;
      const { bytesMoved } = await copyTree(castore, this.#target, root, {
        ...options,
        near: "target",
      });
      const { narSize, narSha256 } = await calculateNar(this.#target, root, options);
      const isRight = narSize === narinfo.narSize && equalBytes(narSha256, narinfo.narSha256);
      return isRight ? { root, bytesMoved, way: "castore" } : undefined;
    } catch {
      // The NAR says the same in another way; if the cause lies here, it will show there.
      options.signal?.throwIfAborted();
      return undefined;
    }
  }
}

interface Taken extends Pick<IngestedNar, "root"> {
  readonly bytesMoved: number;
  readonly way: TakenPath["way"];
}
