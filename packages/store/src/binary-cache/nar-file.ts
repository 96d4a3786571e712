import { compressionOfSuffix } from "../compression/compression.js";
import { StoreError } from "../errors.js";
import type { NarRoot } from "../nar-roots/nar-roots.js";
import { decodeNixBase32, InvalidNixBase32Error } from "../nixbase32.js";
import { blobContent } from "./blob-content.js";
import type { CacheParts } from "./cache-parts.js";
import { respondWith } from "./content.js";
import type { CacheRequest, CacheResponse } from "./exchange.js";
import type { KeptNar } from "./kept-nar.js";
import { IMMUTABLE, NAR_TYPE, respondWithNar } from "./nar-content.js";
import { putNarFile } from "./nar-upload.js";
import { readFirst } from "./read-first.js";
import { CacheRefusal } from "./refusal.js";
import { BASE32, type Route } from "./route.js";
import { NO_ENCODER } from "./stream-encoder.js";

/**
 * NARs by the SHA-256 of a file: of the NAR itself, or of what somebody compressed it to. Nix uploads to
 * these, and only where HEAD says 404.
 */
export const NAR_FILE_ROUTE: Route = {
  name: "nar",
  pattern: new RegExp(`^/nar/(${BASE32}{52})\\.nar(\\.[a-z0-9]{1,8})?$`),
  get: getNarFile,
  put: (parts, request, match) => putNarFile(parts, request, nameOf(match)),
};

/** What a path names. */
export interface NarFileName {
  /** As in the path. */
  readonly hash: string;
  readonly fileSha256: Uint8Array;
  /** Behind `.nar`, with its dot; empty when there is none. */
  readonly suffix: string;
}

function nameOf([, hash = "", suffix = ""]: RegExpExecArray): NarFileName {
  try {
    return { hash, suffix, fileSha256: decodeNixBase32(hash) };
  } catch (error) {
    if (!(error instanceof InvalidNixBase32Error)) throw error;
    throw new CacheRefusal(404, `${hash} is not a SHA-256 in nixbase32`);
  }
}

async function getNarFile(
  parts: CacheParts,
  request: CacheRequest,
  match: RegExpExecArray,
): Promise<CacheResponse> {
  const { hash, suffix, fileSha256 } = nameOf(match);
  const nar = suffix === "" ? await parts.narRoots.get(fileSha256, request) : undefined;
  if (nar !== undefined) return respondWithNar(parts, request, nar);
  const kept = await parts.keptNars.find(fileSha256, request);
  if (kept !== undefined && isNamedSo(kept, suffix)) return respondWithFile(parts, request, kept);
  const inFile = await narInFile(parts, fileSha256, request);
  if (inFile === undefined) throw new CacheRefusal(404, `there is no NAR ${hash}${suffix}`);
  // The file is not kept, but what was in it is: there is no need to upload it again.
  if (request.method === "HEAD") return { status: 200, headers: { "cache-control": "no-cache" } };
  const why = "is here, but not in this compression: ask for the narinfo of its store path";
  throw new CacheRefusal(404, `the NAR of ${hash}${suffix} ${why}`);
}

/** As in {@link putNarFile}: Nix has no suffix for gzip. */
function isNamedSo({ compression }: KeptNar, suffix: string): boolean {
  if (compressionOfSuffix(suffix) === compression) return true;
  return compression === "gzip" && suffix === "";
}

/** All or parts of a file that is kept. */
async function respondWithFile(
  { blobs }: CacheParts,
  request: CacheRequest,
  { blob, fileSize }: KeptNar,
): Promise<CacheResponse> {
  const { signal } = request;
  const reader = await blobs.openRead(blob, { signal });
  if (reader === undefined || reader.size !== fileSize) {
    throw new StoreError("CORRUPT", `Cannot read the compressed NAR in blob ${blob}`);
  }
  const content = blobContent(reader, blob, { type: NAR_TYPE, cacheControl: IMMUTABLE, signal });
  return readFirst(request, respondWith(request, content, NO_ENCODER));
}

async function narInFile(
  { narRoots }: CacheParts,
  fileSha256: Uint8Array,
  { signal }: CacheRequest,
): Promise<NarRoot | undefined> {
  const narSha256 = await narRoots.getFile(fileSha256, { signal });
  return narSha256 && (await narRoots.get(narSha256, { signal }));
}
