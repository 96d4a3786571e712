import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallOptions } from "@tvix/castore";
import { encodeNixBase32, formatNarinfo, narinfoFromPathInfo, type PathInfo } from "@tvix/store";
import {
  CacheClient,
  type FileCompression,
  PackedNar,
  parseCacheAddress,
  showUrl,
} from "@tvix/store/upstream";
import type { OpenStore } from "../store/open-store.js";
import type { MovedPath, PathFacts, Transfer } from "./transfer.js";

export interface UploadOptions {
  /** Requests at a time. */
  readonly concurrency: number;
  readonly compression: FileCompression | "none";
  /** What goes into `Authorization`, if not what the address says. */
  readonly authorization: string | undefined;
}

/** Copies from a store to a binary cache, as Nix does: the NAR as a file, then its narinfo. */
export class UploadTransfer implements Transfer, AsyncDisposable {
  readonly source: string;
  readonly #store: OpenStore;
  readonly #client: CacheClient;
  readonly #compression: UploadOptions["compression"];
  readonly #pathInfos = new Map<string, PathInfo>();
  /** For files that are compressed; made when it is needed. */
  #temporary: Promise<string> | undefined;

  constructor(address: string, store: OpenStore, options: UploadOptions) {
    const { concurrency, compression, authorization } = options;
    this.source = store.place;
    this.#store = store;
    this.#compression = compression;
    this.#client = new CacheClient(parseCacheAddress(address), { concurrency, authorization });
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
    await using nar = await this.#pack(pathInfo, options);
    const url = new URL(nar.url, this.#client.url);
    const isThere = await this.#client.has(url, options.signal);
    if (!isThere) {
      const headers = {
        "content-type": "application/x-nix-nar",
        "content-length": String(nar.fileSize),
      };
      await this.#client.put(url, headers, () => nar.open(), options.signal);
    }
    const narinfo = narinfoFromPathInfo(pathInfo, nar);
    return {
      bytesMoved: isThere ? 0 : Number(nar.fileSize),
      publish: () => this.#putNarinfo(storePath.digestBytes(), formatNarinfo(narinfo), options),
    };
  }

  async #pack(pathInfo: PathInfo, options: CallOptions): Promise<PackedNar> {
    const compression = this.#compression;
    this.#temporary ??=
      compression === "none" ? Promise.resolve("") : mkdtemp(join(tmpdir(), "tvix-copy-"));
    const temporary = await this.#temporary;
    return await PackedNar.of(this.#store, pathInfo, { ...options, compression, temporary });
  }

  async #putNarinfo(outputHash: Uint8Array, text: string, options: CallOptions): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
      yield bytes;
    }
    const headers = {
      "content-type": "text/x-nix-narinfo",
      "content-length": String(bytes.byteLength),
    };
    await this.#client.put(this.#narinfoUrl(outputHash), headers, body, options.signal);
  }

  #narinfoUrl(outputHash: Uint8Array): URL {
    return new URL(`${encodeNixBase32(outputHash)}.narinfo`, this.#client.url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    const directory = await this.#temporary?.catch(() => "");
    if (directory !== undefined && directory !== "") await rm(directory, { recursive: true });
  }
}
