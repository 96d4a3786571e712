import type { Compression } from "../compression/compression.js";
import { decompress } from "../compression/decompress.js";
import { showUrl } from "./cache-address.js";
import type { HttpResponse } from "./transport.js";
import { UpstreamError } from "./upstream-error.js";

/** Names that `Content-Encoding` has for what we can read. */
const ENCODINGS: ReadonlyMap<string, Compression> = new Map([
  ["", "none"],
  ["identity", "none"],
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["br", "br"],
  ["zstd", "zstd"],
]);

/** Whether the body is what the URL stands for, byte for byte. */
export function isPlain({ headers }: HttpResponse): boolean {
  return ENCODINGS.get(headers["content-encoding"] ?? "") === "none";
}

/**
 * The body as it was before it was encoded for the way. Servers do that without being asked, and so do
 * files that were put compressed under a plain name.
 *
 * @throws {@link UpstreamError} with reason "compression"
 */
export function decodeContent(response: HttpResponse, url: URL): AsyncIterable<Uint8Array> {
  const name = (response.headers["content-encoding"] ?? "").trim().toLowerCase();
  const encoding = ENCODINGS.get(name);
  if (encoding !== undefined) return decompress(encoding, response.body);
  response.discard();
  const what = `its content is encoded as ${JSON.stringify(name.slice(0, 40))}`;
  throw new UpstreamError("compression", `Cannot read ${showUrl(url)}: ${what}`);
}
