import type { ServerResponse } from "node:http";
import { constants } from "node:http2";
import type { CacheResponse } from "../exchange.js";
import { type NodeRequest, type NodeResponse, restOfRequest } from "./node-request.js";

/** Go with every response. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
};

/**
 * Sends a response, not faster than the client takes it.
 *
 * When the body fails, the connection (with HTTP/2: the stream) is ended within the response: a client sees that,
 * and may ask for the rest. A body that merely stopped would pass for the whole.
 *
 * @throws what the body throws; nothing when the client goes away
 */
export async function sendResponse(
  request: NodeRequest,
  response: NodeResponse,
  { status, headers, body }: CacheResponse,
): Promise<void> {
  // The two classes have the same methods, and no type of their own that says so.
  const plain = response as ServerResponse;
  plain.writeHead(status, { ...headers, ...varyBy(plain, headers), ...SECURITY_HEADERS });
  if (body === undefined || body instanceof Uint8Array) {
    if (closesTooEarly(request, plain)) await endAfterRest(request, plain, body);
    else endWith(plain, body);
    return;
  }
  try {
    for await (const chunk of body) {
      if (plain.destroyed || plain.closed) return;
      if (chunk.byteLength > 0) await written(plain, chunk);
    }
    plain.end();
  } catch (error) {
    if (plain.destroyed || plain.closed) return;
    breakOff(response);
    throw error;
  }
}

/** What was set before stays: who serves the cache may choose by other headers than the cache does. */
function varyBy(response: ServerResponse, headers: CacheResponse["headers"]): { vary?: string } {
  const before = response.getHeader("vary");
  const own = headers["vary"];
  return before === undefined || own === undefined ? {} : { vary: `${before}, ${own}` };
}

/**
 * Whether Node would close the connection with the end of the response, and a client that still sends might be
 * told of that before it reads the response.
 */
function closesTooEarly(request: NodeRequest, response: ServerResponse): boolean {
  return !("stream" in request) && !request.complete && !response.shouldKeepAlive;
}

async function endAfterRest(
  request: NodeRequest,
  response: ServerResponse,
  body: Uint8Array | undefined,
): Promise<void> {
  if (body === undefined) response.flushHeaders();
  else response.write(body);
  await restOfRequest(request);
  response.end();
}

/** Bodies up to this length are sent in one piece with their headers. */
const ONE_PIECE_BYTES = 16 * 1024;

/** Ends a response with all of its body. */
function endWith(response: ServerResponse, body: Uint8Array | undefined): void {
  if (body === undefined || body.byteLength > ONE_PIECE_BYTES) {
    response.end(body);
    return;
  }
  // Node sends headers and a string in one system call that takes one buffer, and bytes behind headers in two
  // of them. Each byte is a character of latin1 and back.
  const { buffer, byteOffset, byteLength } = body;
  response.end(Buffer.from(buffer, byteOffset, byteLength).toString("latin1"), "latin1");
}

/** Sends bytes until nobody looks at them any more: the system has them, or the client is gone. */
function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      response.off("close", end);
      resolve();
    };
    response.on("close", end);
    response.write(bytes, end);
  });
}

/** Ends a response so that nobody takes it for a whole one. */
export function breakOff(response: NodeResponse): void {
  if ("stream" in response && response.stream !== undefined) {
    response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    // Node may forget a reset that has to wait for a slow client, and then sends empty frames without end:
    // see cancelStream() of @tvix/grpc.
    response.stream.destroy();
  } else {
    response.destroy();
  }
}
