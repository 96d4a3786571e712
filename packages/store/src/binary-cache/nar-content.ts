import { blake3, CastoreError, encodeNode, type Node } from "@tvix/castore";
import type { NarLayout } from "../nar/nar-layout.js";
import { NarRenderError } from "../nar/nar-render-error.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { CacheParts } from "./cache-parts.js";
import type { Content } from "./content.js";
import { respondWith } from "./content.js";
import type { CacheRequest, CacheResponse } from "./exchange.js";
import { readFirst } from "./read-first.js";
import { CacheRefusal } from "./refusal.js";
import { STREAM_ENCODER } from "./stream-encoder.js";

/** What a URL of content stands for never changes. */
export const IMMUTABLE = "public, max-age=31536000, immutable";

/** Of NARs, compressed or not. */
export const NAR_TYPE = "application/x-nix-nar";

/**
 * The response with the NAR of `root`. All that it takes is looked for before: a response that has begun
 * cannot become another one.
 *
 * @param narSize - what the client has been told; anything else is refused
 */
export async function respondWithNar(
  parts: CacheParts,
  request: CacheRequest,
  { root, narSize }: { readonly root: Node; readonly narSize: bigint },
): Promise<CacheResponse> {
  const { signal } = request;
  const layout = await layoutOf(parts, root, signal);
  if (layout.size !== narSize) {
    throw new CacheRefusal(400, `the NAR has ${layout.size} bytes, not ${narSize}`);
  }
  try {
    const missing = await layout.missing({ signal });
    if (missing !== undefined) throw missing;
    return await readFirst(
      request,
      respondWith(request, contentOf(layout, signal), STREAM_ENCODER),
    );
  } catch (error) {
    throw incomplete(error);
  }
}

function contentOf(layout: NarLayout, signal: AbortSignal): Content {
  return {
    size: Number(layout.size),
    type: NAR_TYPE,
    // The node decides every byte of the NAR.
    etag: `"${encodeNixBase32(blake3(encodeNode(layout.root)).toBytes())}"`,
    cacheControl: IMMUTABLE,
    stream: ({ start, end }) => layout.stream({ offset: start, length: end - start }, { signal }),
    lend: ({ start, end }) => layout.lend({ offset: start, length: end - start }, { signal }),
  };
}

/** @throws {@link CacheRefusal} with 404 when a Directory is missing */
export async function layoutOf(
  parts: CacheParts,
  root: Node,
  signal: AbortSignal,
): Promise<NarLayout> {
  try {
    return await parts.layouts.get(root, { signal });
  } catch (error) {
    throw incomplete(error);
  }
}

/** What to throw for a failure to read a tree: what is not there is not found. */
function incomplete(error: unknown): unknown {
  // Of a chunk within a blob.
  if (CastoreError.is(error, "MISSING_REFERENCE")) return refusal(404, error);
  if (!(error instanceof NarRenderError)) return error;
  // Damage is no absence: whoever asks elsewhere should know, and somebody should look here.
  return refusal(error.code === "CORRUPT" ? 500 : 404, error);
}

function refusal(status: number, cause: Error): CacheRefusal {
  return new CacheRefusal(status, cause.message, {}, { cause });
}
