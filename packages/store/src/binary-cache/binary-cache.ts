import { CompressionError } from "../compression/compression-error.js";
import { canCompress } from "../compression/encoder.js";
import { StoreError } from "../errors.js";
import { NarLayouts } from "../nar/nar-layouts.js";
import type { SigningKey } from "../signature/signing-key.js";
import type { BinaryCacheOptions, BinaryCacheServices, CacheParts } from "./cache-parts.js";
import { CompressedNars, type CompressedNarsParts } from "./compressed-nars.js";
import { wholeResponse } from "./content.js";
import { type CacheRequest, type CacheResponse, textResponse } from "./exchange.js";
import { KeptNars } from "./kept-nars.js";
import { MemoryNamedSpaces } from "./named-spaces.js";
import { peekNarinfo } from "./narinfo-get.js";
import { NARINFO_ROUTE } from "./narinfo-route.js";
import { NarinfoSigner } from "./narinfo-signer.js";
import { CacheRefusal } from "./refusal.js";
import type { Route } from "./route.js";
import { ROUTES } from "./routes.js";

/** One before the public cache of Nix, which has 40; that of tvix is the same. */
const DEFAULT_PRIORITY = 39;

/** Names in these are those of derivations, and ids of realisations. */
const BUILD_LOG_SPACE = "build-log";
const REALISATION_SPACE = "realisation";

const DEFAULT_MAX_NAR_SIZE: bigint = 1n << 40n;

/** Less than what clients wait for an answer: 30 seconds for our own, and five minutes for Nix. */
const DEFAULT_COMPRESSION_WAIT = 15_000;

/**
 * A binary cache of Nix over castore: what `nix copy --to` and `--from` and substituters talk to, whatever the
 * server. Everything it knows is in its services, so any number of caches can share them.
 */
export class BinaryCache {
  readonly #parts: CacheParts;

  /** @throws {@link StoreError} with code "UNSUPPORTED" for a compression that this machine cannot do */
  constructor(services: BinaryCacheServices, options: BinaryCacheOptions = {}) {
    const { blobs, directories, pathInfos, narRoots, calculateNar } = services;
    const { values = new MemoryNamedSpaces() } = services;
    const { signingKeys = [] } = options;
    const layouts = services.layouts ?? new NarLayouts(services);
    const keptNars = new KeptNars(blobs, values);
    this.#parts = {
      blobs,
      directories,
      pathInfos,
      narRoots,
      calculateNar,
      buildLogs: values.named(BUILD_LOG_SPACE),
      realisations: values.named(REALISATION_SPACE),
      stage: services.stage ?? (() => ({ blobs, directories, durable: async () => {} })),
      layouts,
      keptNars,
      compressedNars: compressedNars({ blobs, layouts, narRoots, kept: keptNars }, options),
      signer: new NarinfoSigner(signingKeys),
      options: {
        priority: options.priority ?? DEFAULT_PRIORITY,
        wantMassQuery: options.wantMassQuery ?? true,
        trustedKeys: options.trustedKeys,
        checkReferences: options.checkReferences ?? true,
        scanReferences: options.scanReferences ?? "off",
        warn: options.warn ?? (() => {}),
        maxNarSize: options.maxNarSize ?? DEFAULT_MAX_NAR_SIZE,
      },
    };
  }

  /** From now on these keys sign what is served, in the place of those there were. */
  replaceSigningKeys(keys: readonly SigningKey[]): void {
    this.#parts.signer.replaceKeys(keys);
  }

  /**
   * The response to a request; `undefined` for a path that is none of a cache. What is wrong with a request is
   * said in the response. The body of the request may be left unread, or partly read.
   *
   * A response to HEAD has the headers that GET would get, and no body.
   *
   * @throws what the services throw, when a request was well and they fail; the reason of the signal
   */
  async handle(request: CacheRequest): Promise<CacheResponse | undefined> {
    for (const route of ROUTES) {
      const match = route.pattern.exec(request.path);
      if (match !== null) return await this.#handle(route, request, match);
    }
    return undefined;
  }

  /** Gives up what goes on in the background, and waits for its end: the services may be closed then. */
  async close(): Promise<void> {
    await this.#parts.compressedNars?.close();
  }

  /**
   * The response to a plain GET (no range, no condition), if it is in memory and can be said without waiting to
   * be true still: exactly what {@link handle} would answer. `undefined` otherwise; most often, that is.
   */
  peek(path: string): CacheResponse | undefined {
    const [, hash] = NARINFO_ROUTE.pattern.exec(path) ?? [];
    const content = hash === undefined ? undefined : peekNarinfo(this.#parts, hash);
    return content && wholeResponse(content);
  }

  async #handle(
    route: Route,
    request: CacheRequest,
    match: RegExpExecArray,
  ): Promise<CacheResponse> {
    const isHead = request.method === "HEAD";
    const handler = isHead || request.method === "GET" ? route.get : route.put;
    if (handler === undefined || !(isHead || ["GET", "PUT"].includes(request.method))) {
      return notAllowed(route);
    }
    try {
      const response = await handler(this.#parts, request, match);
      return isHead ? { status: response.status, headers: response.headers } : response;
    } catch (error) {
      const response = responseTo(error, request);
      return isHead ? { status: response.status, headers: response.headers } : response;
    }
  }
}

function compressedNars(
  parts: CompressedNarsParts,
  options: BinaryCacheOptions,
): CompressedNars | undefined {
  const { compression = "none" } = options;
  if (compression === "none") return undefined;
  if (!canCompress(compression)) {
    const why = "an optional package for it is not installed";
    throw new CompressionError("UNSUPPORTED", `Cannot compress with ${compression} here: ${why}`);
  }
  return new CompressedNars(parts, {
    compression,
    maxWait: options.compressionWait ?? DEFAULT_COMPRESSION_WAIT,
    onError: options.onError ?? (() => {}),
  });
}

function notAllowed({ get, put }: Route): CacheResponse {
  const methods = [...(get ? ["GET", "HEAD"] : []), ...(put ? ["PUT"] : [])].join(", ");
  return textResponse(405, `only ${methods} are allowed here`, { allow: methods });
}

/** What is wrong with a request; whatever else went wrong is thrown on. */
function responseTo(error: unknown, { signal }: CacheRequest): CacheResponse {
  signal.throwIfAborted();
  if (error instanceof CacheRefusal) return error.response;
  if (StoreError.is(error, "INVALID_ARGUMENT"))
    return new CacheRefusal(400, error.message).response;
  if (StoreError.is(error, "UNSUPPORTED")) return new CacheRefusal(415, error.message).response;
  throw error;
}
