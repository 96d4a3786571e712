import { type FileNode, PathComponent } from "@tvix/castore";
import { decodeNixBase32 } from "../../nixbase32.js";
import type { PathInfo } from "../../path-info.js";
import { blobContent } from "../blob-content.js";
import type { CacheParts } from "../cache-parts.js";
import { respondWith } from "../content.js";
import { type CacheRequest, type CacheResponse, headerOf } from "../exchange.js";
import { readFirst } from "../read-first.js";
import { CacheRefusal } from "../refusal.js";
import { BASE32, type Route } from "../route.js";
import { NO_ENCODER, STREAM_ENCODER } from "../stream-encoder.js";
import { follow, openDirectory, type Place } from "./follow.js";
import { messagePage, PAGE_HEADERS } from "./html.js";
import { listingPage } from "./listing-page.js";
import {
  isCompressible,
  MEDIA_TYPE_BYTES,
  mediaTypeOfContent,
  mediaTypeOfName,
} from "./media-type.js";
import { parseServedPath, type ServedPath, servedReference } from "./served-path.js";

/**
 * The files of a store path, for browsers: `/serve/<hash>/path/in/it`, the name of the store path with it or
 * not. The one route whose paths are decoded: names of files are any bytes.
 */
export const SERVE_ROUTE: Route = {
  name: "serve",
  pattern: new RegExp(`^/serve/(${BASE32}{32})(?:-([^/]{1,633}))?((?:/.*)?)$`, "s"),
  get: getServed,
};

/**
 * Pages of a store path run no scripts and belong to no origin: they are not ours, but at our address, where
 * they could call what we serve in the name of who looks at them.
 */
const FILE_HEADERS = { "content-security-policy": "sandbox" } as const;

const INDEX = PathComponent.parse("index.html");

/** A request and what it asks for. */
interface Visit {
  readonly parts: CacheParts;
  readonly request: CacheRequest;
  readonly path: ServedPath;
  /** The store path that was asked for. */
  readonly pathInfo: PathInfo;
}

async function getServed(
  parts: CacheParts,
  request: CacheRequest,
  [, hash = "", name, rest = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  try {
    const path = parseServedPath(hash, name, rest);
    const pathInfo = await parts.pathInfos.get(decodeNixBase32(hash), { signal: request.signal });
    if (
      pathInfo === undefined ||
      (path.name ?? pathInfo.storePath.name) !== pathInfo.storePath.name
    ) {
      throw new CacheRefusal(
        404,
        `there is no store path ${hash}${name === undefined ? "" : "-…"}`,
      );
    }
    const visit = { parts, request, path, pathInfo };
    return await respondWithPlace(visit, await follow(parts, pathInfo, path.names, request));
  } catch (error) {
    if (!(error instanceof CacheRefusal) || error.response.status !== 404) throw error;
    return notFound(request, error);
  }
}

async function respondWithPlace(visit: Visit, place: Place): Promise<CacheResponse> {
  const { path, pathInfo } = visit;
  const { baseName } = pathInfo.storePath;
  const isDirectory = place.node.type === "directory";
  if (!place.pathInfo.storePath.equals(pathInfo.storePath)) {
    const there = place.pathInfo.storePath.baseName;
    return redirect(servedReference(path, there, place.names, isDirectory));
  }
  if (place.node.type === "file") {
    if (path.hasSlash) throw new CacheRefusal(404, "this is no directory");
    return await respondWithFile(visit, place, place.node);
  }
  if (path.hasSlash) return await respondWithDirectory(visit, place);
  const here = path.name === undefined ? path.hash : baseName;
  return redirect(servedReference(path, here, path.names, true));
}

/** References are relative: they hold wherever the cache is. Browsers ask again each time. */
function redirect(location: string): CacheResponse {
  const headers = { location, "content-length": "0", "cache-control": "no-cache" };
  return { status: 302, headers: { ...headers, ...FILE_HEADERS } };
}

async function respondWithDirectory(visit: Visit, place: Place): Promise<CacheResponse> {
  const { parts, request, path, pathInfo } = visit;
  if (place.node.type !== "directory") throw new CacheRefusal(404, "this is no directory");
  const directory = await openDirectory(parts, place.node, request);
  if (directory.get(INDEX) !== undefined) {
    const index = await findIndex(visit, place);
    if (index !== undefined) {
      const indexPath = { ...path, names: [...path.names, INDEX], hasSlash: false };
      return await respondWithPlace({ ...visit, path: indexPath }, index);
    }
  }
  const { baseName } = pathInfo.storePath;
  const page = { storePath: baseName, names: path.names, directory };
  return { status: 200, headers: PAGE_HEADERS, body: listingPage(page) };
}

/** The file that `index.html` in a directory is; `undefined` when it is none. */
async function findIndex(
  { parts, request }: Visit,
  { pathInfo, names }: Place,
): Promise<Place | undefined> {
  try {
    const index = await follow(parts, pathInfo, [...names, INDEX], request);
    return index.node.type === "file" ? index : undefined;
  } catch (error) {
    if (error instanceof CacheRefusal) return undefined;
    throw error;
  }
}

async function respondWithFile(
  { parts, request, path }: Visit,
  place: Place,
  { digest }: FileNode,
): Promise<CacheResponse> {
  const { signal } = request;
  const reader = await parts.blobs.openRead(digest, { signal });
  if (reader === undefined) throw new CacheRefusal(404, "the content of this file is not stored");
  const type =
    mediaTypeOfName(lastName(place, path.names)) ??
    mediaTypeOfName(lastName(place, place.names)) ??
    mediaTypeOfContent(await startOf(reader, signal));
  const content = blobContent(reader, digest, { type, cacheControl: "no-cache", signal });
  const encoder = isCompressible(type) ? STREAM_ENCODER : NO_ENCODER;
  const response = await readFirst(request, respondWith(request, content, encoder));
  return { ...response, headers: { ...response.headers, ...FILE_HEADERS } };
}

function lastName({ pathInfo }: Place, names: readonly PathComponent[]): string {
  return String(names.at(-1) ?? pathInfo.storePath.name);
}

async function startOf(
  reader: {
    readonly size: number;
    stream(range: object, options: object): AsyncIterable<Uint8Array>;
  },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const start = new Uint8Array(Math.min(reader.size, MEDIA_TYPE_BYTES));
  let length = 0;
  for await (const chunk of reader.stream({ offset: 0, length: start.byteLength }, { signal })) {
    start.set(chunk.subarray(0, start.byteLength - length), length);
    length += chunk.byteLength;
  }
  return start;
}

/** Text for programs, a page for people. */
function notFound(request: CacheRequest, { message, response }: CacheRefusal): CacheResponse {
  if (headerOf(request, "accept")?.includes("text/html") !== true) return response;
  const body = messagePage("Not found", message);
  const headers = { ...PAGE_HEADERS, "content-length": String(body.byteLength) };
  return { status: 404, headers, body };
}
