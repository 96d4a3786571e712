import { toUtf8 } from "@tvix/castore";
import { narinfoFromPathInfo } from "../narinfo/convert.js";
import { formatNarinfo } from "../narinfo/format.js";
import { NixHash } from "../nix-hash.js";
import { decodeNixBase32 } from "../nixbase32.js";
import type { CacheParts } from "./cache-parts.js";
import { castoreNarUrl } from "./castore-nar-url.js";
import { bytesContent, respondWith } from "./content.js";
import type { CacheRequest, CacheResponse } from "./exchange.js";
import { CacheRefusal } from "./refusal.js";
import { NO_ENCODER } from "./stream-encoder.js";

/** What is known of a path, with signatures made on the spot. The NAR is served as it is, not compressed. */
export async function getNarinfo(
  parts: CacheParts,
  request: CacheRequest,
  [, hash = ""]: RegExpExecArray,
): Promise<CacheResponse> {
  const pathInfo = await parts.pathInfos.get(decodeNixBase32(hash), { signal: request.signal });
  if (pathInfo === undefined) throw new CacheRefusal(404, `there is no store path ${hash}`);
  const { node, narSize, narSha256 } = pathInfo;
  const narinfo = narinfoFromPathInfo(pathInfo, {
    url: castoreNarUrl(node, narSize),
    compression: "none",
    fileHash: NixHash.of("sha256", narSha256),
    fileSize: narSize,
    signatures: parts.signer.sign(pathInfo),
  });
  const content = bytesContent(toUtf8(formatNarinfo(narinfo)), {
    type: "text/x-nix-narinfo",
    cacheControl: "no-cache",
  });
  return respondWith(request, content, NO_ENCODER);
}
