import type { B3Digest } from "@tvix/castore";
import { decompress } from "../compression/decompress.js";
import { StoreError } from "../errors.js";
import { blobContent } from "./blob-content.js";
import { decodeBuildLogRecord, encodeBuildLogRecord } from "./build-log-record.js";
import type { CacheParts } from "./cache-parts.js";
import { respondWith } from "./content.js";
import { contentCompression } from "./content-compression.js";
import { type CacheRequest, type CacheResponse, DONE } from "./exchange.js";
import { readFirst } from "./read-first.js";
import { CacheRefusal } from "./refusal.js";
import { RequestBody } from "./request-body.js";
import { BASE32, type Route } from "./route.js";
import { STREAM_ENCODER } from "./stream-encoder.js";

/** Most bytes of a log, after decompression: as many as Hydra, the build server of Nix, lets a build write. */
export const MAX_BUILD_LOG_BYTES: number = 64 * 1024 * 1024;

/** What a builder said, by the base name of its derivation. A later one replaces an earlier one. */
export const BUILD_LOG_ROUTE: Route = {
  name: "log",
  // A question mark may be in the name of a store path, but in a URL the query begins there.
  pattern: new RegExp(`^/log/(${BASE32}{32}-[0-9A-Za-z+._=-]{1,207}\\.drv)$`),
  get: getBuildLog,
  put: putBuildLog,
};

async function getBuildLog(
  { buildLogs, blobs }: CacheParts,
  request: CacheRequest,
  [, derivation = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  const { signal } = request;
  const value = await buildLogs.get(derivation, { signal });
  if (value === undefined) throw new CacheRefusal(404, `there is no log of ${derivation}`);
  const { digest, size } = decodeBuildLogRecord(value);
  const reader = await blobs.openRead(digest, { signal });
  if (reader === undefined) {
    throw new CacheRefusal(404, `the log of ${derivation} is not stored any more`);
  }
  if (reader.size !== size) {
    const what = `the blob has ${reader.size} bytes, not ${size}`;
    throw new StoreError("CORRUPT", `Cannot read the log of ${derivation}: ${what}`);
  }
  const content = blobContent(reader, digest, {
    type: "text/plain; charset=utf-8",
    cacheControl: "no-cache",
    signal,
  });
  return readFirst(request, respondWith(request, content, STREAM_ENCODER));
}

async function putBuildLog(
  { buildLogs, blobs }: CacheParts,
  request: CacheRequest,
  [, derivation = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  const { signal } = request;
  const body = new RequestBody(request, BigInt(MAX_BUILD_LOG_BYTES));
  const text = new Counted(decompress(contentCompression(request), body.stream()));
  const digest: B3Digest = await blobs.put(text.stream(), { signal });
  if (!body.ended) throw new CacheRefusal(400, "there is more in the body than one log");
  await buildLogs.put(derivation, encodeBuildLogRecord({ digest, size: text.length }), { signal });
  return DONE;
}

/** Counts the bytes of a log on their way, and refuses too many. */
class Counted {
  length = 0;
  readonly #source: AsyncIterable<Uint8Array>;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#source) {
      this.length += chunk.byteLength;
      if (this.length > MAX_BUILD_LOG_BYTES) {
        throw new CacheRefusal(413, `a log may have at most ${MAX_BUILD_LOG_BYTES} bytes`);
      }
      yield chunk;
    }
  }
}
