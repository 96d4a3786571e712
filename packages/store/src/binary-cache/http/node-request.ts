import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { CacheRequest } from "../exchange.js";

/** A request of Node's servers, over HTTP/1.1 or HTTP/2. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** The response to it. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** How long a client whose request was answered before its end may go on sending, in ms. */
const LINGER_MS = 2000;

/** Reads a request of Node; nothing of its body is read until somebody asks for it. */
export function cacheRequest(request: NodeRequest, signal: AbortSignal): CacheRequest {
  // A fragment is for the client alone, but Node lets one through.
  const url = (request.url ?? "").replace(/#.*$/s, "");
  const mark = url.indexOf("?");
  return {
    method: request.method ?? "",
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? "" : url.slice(mark + 1),
    headers: request.headers,
    body: body(request),
    signal,
    // sendResponse() waits until a piece is sent.
    takesLentBytes: true,
  };
}

/**
 * The body of a request. It fails when the client goes away within it: Node may end the body then as if it
 * were whole, and half an upload would be stored.
 */
async function* body(request: NodeRequest): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    // Ending the request would end the connection, and clients would miss the error they are sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const bytes = chunk as Uint8Array;
      yield new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
  } catch (cause) {
    throw new Error("The client has gone", { cause });
  }
  if (request.aborted || !request.complete) throw new Error("The client has gone");
}

/** Throws away what was not read of a body, for a while: clients that are still sending see the response. */
export function discardRest(request: NodeRequest, response: NodeResponse): void {
  if (request.complete) return;
  request.on("error", () => {});
  request.resume();
  response.once("finish", () => {
    if ("stream" in request) {
      request.stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const timer = setTimeout(() => request.destroy(), LINGER_MS).unref();
    request.once("close", () => clearTimeout(timer));
  });
}

/** Resolves when the client has sent all of its request, is gone, or takes too long. */
export function restOfRequest(request: NodeRequest): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      request.off("end", end).off("close", end);
      resolve();
    };
    const timer = setTimeout(end, LINGER_MS);
    request.once("end", end).once("close", end);
  });
}
