import { MemoryBlobService, MemoryDirectoryService, type Node, toUtf8 } from "@tvix/castore";
import { BinaryCache } from "../binary-cache/binary-cache.js";
import type { BinaryCacheOptions } from "../binary-cache/cache-parts.js";
import type { CacheResponse } from "../binary-cache/exchange.js";
import { MemoryNamedSpaces } from "../binary-cache/named-spaces.js";
import { RememberedNarCalculation } from "../nar/remembered-nar-calculation.js";
import { RenderedNarCalculation } from "../nar/rendered-nar-calculation.js";
import { MemoryNarRoots } from "../nar-roots/memory.js";
import { PathInfo } from "../path-info.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import type { SigningKey } from "../signature/signing-key.js";
import type { StorePath } from "../store-path/store-path.js";

/** A request to a {@link MemoryCache}. */
export interface AskOptions {
  /** Without it nothing is sent. */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the body of the response is left alone; false by default. */
  readonly discard?: boolean;
}

/** A response with all of its body. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The body as UTF-8. */
  readonly text: string;
}

/** What a {@link MemoryCache} does not make for itself. */
export type MemoryCacheServices = Partial<
  Pick<MemoryCache, "blobs" | "directories" | "pathInfos" | "values">
>;

/** A binary cache over services in memory, asked without a server. */
export class MemoryCache {
  readonly blobs: MemoryBlobService;
  readonly directories: MemoryDirectoryService;
  readonly pathInfos: MemoryPathInfoService;
  readonly values: MemoryNamedSpaces;
  readonly #cache: BinaryCache;
  readonly #nar: RenderedNarCalculation;

  /** @param services - those of another cache, or some that misbehave */
  constructor(options: BinaryCacheOptions = {}, services: MemoryCacheServices = {}) {
    this.blobs = services.blobs ?? new MemoryBlobService();
    this.directories = services.directories ?? new MemoryDirectoryService();
    this.pathInfos = services.pathInfos ?? new MemoryPathInfoService();
    this.values = services.values ?? new MemoryNamedSpaces();
    this.#nar = new RenderedNarCalculation(this);
    const results = new Map<string, Uint8Array>();
    const calculateNar = new RememberedNarCalculation(this.#nar, {
      get: async (key) => results.get(key.join()),
      put: async (key, value) => void results.set(key.join(), value),
    });
    this.#cache = new BinaryCache(
      { ...this, narRoots: new MemoryNarRoots(), calculateNar },
      options,
    );
  }

  /** See `BinaryCache.close()`. */
  async close(): Promise<void> {
    await this.#cache.close();
  }

  /** Publishes `node`, whose content must be stored. */
  async publish(storePath: StorePath, node: Node): Promise<void> {
    const nar = await this.#nar.calculateNar(node);
    await this.pathInfos.put(PathInfo.of({ storePath, node, ...nar }));
  }

  /** See {@link BinaryCache.replaceSigningKeys}. */
  replaceSigningKeys(keys: readonly SigningKey[]): void {
    this.#cache.replaceSigningKeys(keys);
  }

  /** See {@link BinaryCache.peek}. */
  peek(path: string): CacheResponse | undefined {
    return this.#cache.peek(path);
  }

  /** @param url - raw, with its query */
  async ask(method: string, url: string, options: AskOptions = {}): Promise<Answer> {
    const [path = "", query = ""] = url.split("?", 2);
    const { body = "" } = options;
    const response = await this.#cache.handle({
      method,
      path,
      query,
      headers: options.headers ?? {},
      body: typeof body === "string" ? once(toUtf8(body)) : isBytes(body) ? once(body) : body,
      signal: new AbortController().signal,
    });
    if (response === undefined) throw new Error(`${url} is no path of a cache`);
    const bytes = await bytesOf(options.discard === true ? undefined : response.body);
    const { status, headers } = response;
    return { status, headers, body: bytes, text: new TextDecoder().decode(bytes) };
  }
}

function isBytes(body: Uint8Array | AsyncIterable<Uint8Array>): body is Uint8Array {
  return ArrayBuffer.isView(body);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

async function bytesOf(
  body: Uint8Array | AsyncIterable<Uint8Array> = new Uint8Array(0),
): Promise<Uint8Array> {
  if (isBytes(body)) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}
