import type { CallOptions } from "@tvix/castore";
import {
  encodeNixBase32,
  formatNarinfo,
  NixHash,
  narinfoFromPathInfo,
  type PathInfo,
  renderNar,
} from "@tvix/store";
import { CacheClient, parseCacheAddress, showUrl } from "@tvix/store/upstream";
import type { OpenStore } from "../store/open-store.js";
import type { MovedPath, PathFacts, Transfer } from "./transfer.js";

/** Copies from a store to a binary cache, as Nix does: the NAR, not compressed, then its narinfo. */
export class UploadTransfer implements Transfer, AsyncDisposable {
  readonly source: string;
  readonly #store: OpenStore;
  readonly #client: CacheClient;
  readonly #pathInfos = new Map<string, PathInfo>();

  constructor(address: string, store: OpenStore, concurrency: number) {
    this.source = store.place;
    this.#store = store;
    this.#client = new CacheClient(parseCacheAddress(address), { concurrency });
  }

  get target(): string {
    return showUrl(this.#client.url);
  }

  async lookUp(outputHash: Uint8Array, options: CallOptions): Promise<PathFacts | undefined> {
    const pathInfo = await this.#store.pathInfos.get(outputHash, options);
    if (pathInfo === undefined) return undefined;
    const { storePath, references, narSize } = pathInfo;
    this.#pathInfos.set(storePath.baseName, pathInfo);
    const isPresent = await this.#client.has(this.#narinfoUrl(outputHash), options.signal);
    return { storePath, references, narSize, isPresent };
  }

  async move({ storePath }: PathFacts, options: CallOptions): Promise<MovedPath> {
    const pathInfo = this.#pathInfos.get(storePath.baseName);
    if (pathInfo === undefined) throw new TypeError(`${storePath} was not looked up`);
    const narHash = NixHash.of("sha256", pathInfo.narSha256);
    const file = `nar/${narHash.format("nixbase32")}.nar`;
    const url = new URL(file, this.#client.url);
    const isThere = await this.#client.has(url, options.signal);
    if (!isThere) await this.#putNar(url, pathInfo, options);
    return {
      bytesMoved: isThere ? 0 : Number(pathInfo.narSize),
      publish: () => this.#putNarinfo(pathInfo, file, narHash, options),
    };
  }

  async #putNar(url: URL, { node, narSize }: PathInfo, options: CallOptions): Promise<void> {
    const headers = {
      "content-type": "application/x-nix-nar",
      "content-length": String(narSize),
    };
    await this.#client.put(url, headers, renderNar(this.#store, node, options), options.signal);
  }

  async #putNarinfo(
    pathInfo: PathInfo,
    url: string,
    fileHash: NixHash,
    options: CallOptions,
  ): Promise<void> {
    const fileSize = pathInfo.narSize;
    const narinfo = narinfoFromPathInfo(pathInfo, { url, compression: "none", fileHash, fileSize });
    const text = new TextEncoder().encode(formatNarinfo(narinfo));
    async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
      yield text;
    }
    const headers = {
      "content-type": "text/x-nix-narinfo",
      "content-length": String(text.byteLength),
    };
    const where = this.#narinfoUrl(pathInfo.storePath.digestBytes());
    await this.#client.put(where, headers, body(), options.signal);
  }

  #narinfoUrl(outputHash: Uint8Array): URL {
    return new URL(`${encodeNixBase32(outputHash)}.narinfo`, this.#client.url);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }
}
