import { toUtf8 } from "@tvix/castore";
import { suffixOfCompression } from "../compression/compression.js";
import { type NarinfoOptions, narinfoFromPathInfo } from "../narinfo/convert.js";
import { formatNarinfo } from "../narinfo/format.js";
import { NixHash } from "../nix-hash.js";
import { decodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import type { CacheParts } from "./cache-parts.js";
import { castoreNarUrl } from "./castore-nar-url.js";
import { bytesContent, respondWith } from "./content.js";
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
  const narinfo = narinfoFromPathInfo(pathInfo, {
    ...(await describeFile(parts, pathInfo, request.signal)),
    signatures: parts.signer.sign(pathInfo),
  });
  const content = bytesContent(toUtf8(formatNarinfo(narinfo)), {
    type: "text/x-nix-narinfo",
    cacheControl: "no-cache",
  });
  return respondWith(request, content, NO_ENCODER);
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
