import { toUtf8 } from "@tvix/castore";
import { suffixOfCompression } from "../compression/compression.js";
import { type NarinfoOptions, narinfoFromPathInfo } from "../narinfo/convert.js";
import { formatNarinfo } from "../narinfo/format.js";
import { NixHash } from "../nix-hash.js";
import { decodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import type { CacheParts } from "./cache-parts.js";
import { castoreNarUrl } from "./castore-nar-url.js";
import { bytesContent, type Content, respondWith } from "./content.js";
import type { CacheRequest, CacheResponse } from "./exchange.js";
import { CacheRefusal } from "./refusal.js";
import { NO_ENCODER } from "./stream-encoder.js";

/** What is known of a path, with signatures made on the spot. */
export async function getNarinfo(
  parts: CacheParts,
  request: CacheRequest,
  [, hash = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  const pathInfo = await parts.pathInfos.get(decodeNixBase32(hash), { signal: request.signal });
  if (pathInfo === undefined) throw new CacheRefusal(404, `there is no store path ${hash}`);
  const content = await contentOf(parts, pathInfo, request.signal);
  return respondWith(request, content, NO_ENCODER);
}

/** The narinfo of a path as {@link getNarinfo} would send it, if it was sent before and is still true. */
export function peekNarinfo(parts: CacheParts, hash: string): Content | undefined {
  const pathInfo = parts.pathInfos.peek?.(decodeNixBase32(hash));
  return pathInfo && parts.signer.narinfos.get(pathInfo);
}

/**
 * Rendering takes longer than all else. A path info never changes; services that give out the same one as
 * before have looked that it is still the one that they hold. Compressed files come and go.
 */
async function contentOf(
  parts: CacheParts,
  pathInfo: PathInfo,
  signal: AbortSignal,
): Promise<Content> {
  const { narinfos } = parts.signer;
  const known = narinfos.get(pathInfo);
  if (known !== undefined) return known;
  const content = await render(parts, pathInfo, signal);
  if (parts.compressedNars === undefined) narinfos.set(pathInfo, content);
  return content;
}

async function render(
  parts: CacheParts,
  pathInfo: PathInfo,
  signal: AbortSignal,
): Promise<Content> {
  const narinfo = narinfoFromPathInfo(pathInfo, {
    ...(await describeFile(parts, pathInfo, signal)),
    signatures: parts.signer.sign(pathInfo),
  });
  return bytesContent(toUtf8(formatNarinfo(narinfo)), {
    type: "text/x-nix-narinfo",
    cacheControl: "no-cache",
  });
}

/** The file that a narinfo leads to: a compressed one where that is wanted and there, else the NAR itself. */
async function describeFile(
  parts: CacheParts,
  pathInfo: PathInfo,
  signal: AbortSignal,
): Promise<Omit<NarinfoOptions, "signatures">> {
  const { node, narSize, narSha256 } = pathInfo;
  const kept = await parts.compressedNars?.get(pathInfo, { signal });
  if (kept === undefined) {
    const fileHash = NixHash.of("sha256", narSha256);
    const url = castoreNarUrl(node, narSize);
    return { url, compression: "none", fileHash, fileSize: narSize };
  }
  const { compression, fileSha256, fileSize } = kept;
  const fileHash = NixHash.of("sha256", fileSha256);
  const url = `nar/${fileHash.format("nixbase32")}.nar${suffixOfCompression(compression)}`;
  return { url, compression, fileHash, fileSize: BigInt(fileSize) };
}
