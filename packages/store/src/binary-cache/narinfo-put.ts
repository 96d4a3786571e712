import { type CallOptions, equalBytes } from "@tvix/castore";
import { decompress } from "../compression/decompress.js";
import { pathInfoFromNarinfo } from "../narinfo/convert.js";
import { InvalidNarinfoError, MAX_NARINFO_BYTES, type Narinfo } from "../narinfo/narinfo.js";
import { parseNarinfo } from "../narinfo/parse.js";
import { decodeNixBase32 } from "../nixbase32.js";
import { PathInfo } from "../path-info.js";
import type { CacheParts } from "./cache-parts.js";
import { contentCompression } from "./content-compression.js";
import { type CacheRequest, type CacheResponse, DONE } from "./exchange.js";
import { checkContentAddress, checkReferences, checkSignatures } from "./narinfo-checks.js";
import { findUploadedNar } from "./narinfo-nar.js";
import { CacheRefusal } from "./refusal.js";
import { readBody } from "./request-body.js";
import { checkScannedReferences } from "./scanned-references.js";

/**
 * Publishes a path whose NAR has been uploaded, once everything that the narinfo says has been found to be
 * true. A path that is known with the same NAR and references only gains signatures, and what was not
 * known of it; with others it stays as it is, since clients may have it already (409).
 */
export async function putNarinfo(
  parts: CacheParts,
  request: CacheRequest,
  [, hash = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  const narinfo = await readNarinfo(request);
  const outputHash = decodeNixBase32(hash);
  if (!equalBytes(narinfo.storePath.digestBytes(), outputHash)) {
    throw new CacheRefusal(400, `the narinfo is that of ${narinfo.storePath}, not of ${hash}`);
  }
  const { signal } = request;
  const known = await parts.pathInfos.get(outputHash, { signal });
  const pathInfo = await describe(parts, narinfo, known, { signal });
  // Another one may have published it meanwhile.
  const onReplace = (latest: PathInfo): void => checkSame(latest, narinfo);
  await parts.pathInfos.put(pathInfo, { signal, onReplace });
  // Most likely somebody will ask for it soon.
  parts.compressedNars?.prepare(pathInfo);
  return DONE;
}

async function describe(
  parts: CacheParts,
  narinfo: Narinfo,
  known: PathInfo | undefined,
  options: CallOptions,
): Promise<PathInfo> {
  if (known !== undefined) checkSame(known, narinfo);
  const { root, narSize } = await findUploadedNar(parts, narinfo, known, options);
  if (narinfo.narSize !== narSize) {
    const what = `the narinfo says that the NAR has ${narinfo.narSize} bytes, but it has ${narSize}`;
    throw new CacheRefusal(400, what);
  }
  const pathInfo = pathInfoFromNarinfo(narinfo, root);
  await checkReferences(parts, pathInfo, options);
  await checkContentAddress(parts, pathInfo, options);
  checkSignatures(parts, pathInfo);
  if (known === undefined) await checkScannedReferences(parts, pathInfo, options);
  return known === undefined ? pathInfo : keepingWhatIsKnown(known, pathInfo);
}

async function readNarinfo(request: CacheRequest): Promise<Narinfo> {
  const compression = contentCompression(request);
  const text = await readBody(request, MAX_NARINFO_BYTES, {
    signal: request.signal,
    decode: (body) => decompress(compression, body),
  });
  try {
    return parseNarinfo(text);
  } catch (cause) {
    if (!(cause instanceof InvalidNarinfoError)) throw cause;
    throw new CacheRefusal(400, cause.message, {}, { cause });
  }
}

/** What clients may have been told of a path does not change. */
function checkSame(known: PathInfo, narinfo: Narinfo): void {
  const { storePath } = narinfo;
  if (!known.storePath.equals(storePath)) {
    throw new CacheRefusal(409, `${known.storePath} is known, which has the same hash`);
  }
  if (!equalBytes(known.narSha256, narinfo.narSha256) || known.narSize !== narinfo.narSize) {
    throw new CacheRefusal(409, `${storePath} is known with another NAR`);
  }
  if (referenceKey(known.references) !== referenceKey(narinfo.references)) {
    throw new CacheRefusal(409, `${storePath} is known with other references`);
  }
}

function referenceKey(references: PathInfo["references"]): string {
  return [...new Set(references.map(({ baseName }) => baseName))].sort().join(" ");
}

/** What clients may have been told stays; signatures add up where it is stored. */
function keepingWhatIsKnown(known: PathInfo, added: PathInfo): PathInfo {
  return PathInfo.of({
    ...added,
    narSha256: added.narSha256,
    deriver: known.deriver ?? added.deriver,
    contentAddress: known.contentAddress ?? added.contentAddress,
  });
}
