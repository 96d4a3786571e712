import type { CallOptions } from "@tvix/castore";
import type { Narinfo } from "@tvix/store";
import {
  type NixCacheOptions,
  NixCachePathInfoService,
  parseCacheAddress,
} from "@tvix/store/upstream";
import { openCastoreOf } from "../store/cache-castore.js";
import type { OpenStore } from "../store/open-store.js";
import { presentIn, publishIn } from "./present.js";
import type { MovedPath, PathFacts, Transfer } from "./transfer.js";

/** Copies from a binary cache into a store. */
export class CacheTransfer implements Transfer, AsyncDisposable {
  readonly target: string;
  readonly #store: OpenStore;
  readonly #cache: NixCachePathInfoService;
  readonly #narinfos = new Map<string, Narinfo>();
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(
    address: string,
    store: OpenStore,
    options: Pick<NixCacheOptions, "signatures" | "concurrency" | "authorization">,
  ) {
    this.target = store.place;
    this.#store = store;
    this.#cache = new NixCachePathInfoService(parseCacheAddress(address), store, {
      ...options,
      openCastore: async (url, authorization) => {
        const castore = await openCastoreOf(url, authorization);
        this.#closers.push(castore.close);
        return castore;
      },
    });
  }

  get source(): string {
    return this.#cache.place;
  }

  async lookUp(outputHash: Uint8Array, options: CallOptions): Promise<PathFacts | undefined> {
    const known = await presentIn(this.#store, outputHash, options);
    if (known !== undefined) return known;
    const narinfo = await this.#cache.describe(outputHash, options);
    if (narinfo === undefined) return undefined;
    this.#narinfos.set(narinfo.storePath.baseName, narinfo);
    const { storePath, references, narSize } = narinfo;
    return { storePath, references, narSize, isPresent: false };
  }

  async move({ storePath }: PathFacts, options: CallOptions): Promise<MovedPath> {
    const narinfo = this.#narinfos.get(storePath.baseName);
    if (narinfo === undefined) throw new TypeError(`${storePath} was not looked up`);
    const { pathInfo, bytesMoved } = await this.#cache.take(narinfo, options);
    return { bytesMoved, publish: () => publishIn(this.#store, pathInfo, options) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cache.close();
    await Promise.all(this.#closers.map((close) => close()));
  }
}
