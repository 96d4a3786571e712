import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { constants } from "node:http2";
import type { CacheResponse } from "../exchange.js";
import type { NodeResponse } from "./node-request.js";

/**
 * Sends a response, not faster than the client takes it.
 *
 * When the body fails, the connection (with HTTP/2: the stream) is ended within the response: a client sees that,
 * and may ask for the rest. A body that merely stopped would pass for the whole.
 *
 * @throws what the body throws; nothing when the client goes away
 */
export async function sendResponse(
  response: NodeResponse,
  { status, headers, body }: CacheResponse,
): Promise<void> {
  // The two classes have the same methods, and no type of their own that says so.
  const plain = response as ServerResponse;
  plain.writeHead(status, { ...headers, "x-content-type-options": "nosniff" });
  if (body === undefined || body instanceof Uint8Array) {
    plain.end(body);
    return;
  }
  try {
    for await (const chunk of body) {
      if (plain.destroyed || plain.closed) return;
      if (chunk.byteLength > 0 && !plain.write(chunk)) await drained(plain);
    }
    plain.end();
  } catch (error) {
    if (plain.destroyed || plain.closed) return;
    breakOff(response);
    throw error;
  }
}

/** Until there is room again, or the client is gone. */
async function drained(response: ServerResponse): Promise<void> {
  const ended = new AbortController();
  const { signal } = ended;
  try {
    await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
  } finally {
    ended.abort();
  }
}

/** Ends a response so that nobody takes it for a whole one. */
export function breakOff(response: NodeResponse): void {
  if ("stream" in response && response.stream !== undefined) {
    response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  } else {
    response.destroy();
  }
}
