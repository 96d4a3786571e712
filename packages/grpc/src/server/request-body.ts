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

/** How long a refusal waits for the rest of a short request, in ms. */
const REST_MS = 100;

/** The most bytes a refusal waits for. */
const REST_BYTES = 64 * 1024;

/**
 * Throws away the rest of a short request, so that it can be refused when it is there as a whole: there are
 * clients over HTTP/2 (curl up to 7.88) that lose an answer which ends before they have sent everything. Goes
 * on without the rest when it is long, or late.
 */
export async function restOfRequest(request: HttpRequest): Promise<void> {
  if (request.complete || request.destroyed) return;
  await new Promise<void>((resolve) => {
    let left = REST_BYTES;
    const take = (piece: Uint8Array): void => {
      left -= piece.byteLength;
      if (left < 0) end();
    };
    const end = (): void => {
      clearTimeout(timer);
      request.off("data", take).off("end", end).off("close", end).off("error", end);
      request.resume();
      resolve();
    };
    const timer = setTimeout(end, REST_MS);
    request.on("error", () => {});
    request.on("data", take).once("end", end).once("close", end).once("error", end);
  });
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
