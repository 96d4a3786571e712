import { constants } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { HttpRequest, HttpResponse } from "./http-surface.js";

/** How long a client whose request was answered before its end may go on sending, in ms. */
const LINGER_MS = 1000;

/**
 * The body of a request. It fails when the client goes away within it: Node may end the body then as if it
 * were whole, and half an upload would be stored.
 *
 * When the reader has seen enough, the rest is thrown away until the response is out. Ending the connection
 * at once, as Node does, would make clients miss the error they are sent.
 */
export async function* requestBody(
  request: HttpRequest,
  response: HttpResponse,
): AsyncGenerator<Uint8Array> {
  try {
    yield* request.iterator({ destroyOnReturn: false });
  } catch (error) {
    throw new ConnectError("the client has gone", Code.Canceled, undefined, undefined, error);
  } finally {
    if (!request.complete) {
      discardRest(request, response);
    }
  }
  if (request.aborted || !request.complete) {
    throw new ConnectError("the client has gone", Code.Canceled);
  }
}

function discardRest(request: HttpRequest, response: HttpResponse): void {
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
