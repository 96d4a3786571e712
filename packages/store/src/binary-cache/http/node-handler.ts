import type { BinaryCache } from "../binary-cache.js";
import { type CacheResponse, textResponse } from "../exchange.js";
import { cacheRequest, discardRest, type NodeRequest, type NodeResponse } from "./node-request.js";
import { breakOff, sendResponse } from "./node-response.js";

export interface NodeHandlerOptions {
  /** Is told of failures of ours; what is wrong with requests is told to the client only. */
  readonly onError?: (error: unknown) => void;
}

/** Serves a request if its path is one of a cache; fulfils with whether it was. Never rejects. */
export type TryServe = (request: NodeRequest, response: NodeResponse) => Promise<boolean>;

/**
 * Serves a cache with Node's HTTP servers, next to other things at other paths.
 *
 * What has begun for a client that goes away is ended. `Expect: 100-continue`, which Nix sends with every
 * upload, is answered by Node as long as nobody listens to `checkContinue`.
 */
export function tryServe(
  cache: Pick<BinaryCache, "handle">,
  { onError = () => {} }: NodeHandlerOptions = {},
): TryServe {
  return async (request, response) => {
    const gone = new AbortController();
    response.once("close", () => {
      // Telling everybody costs more than a short response, and there is nothing to end after all of it.
      if (!response.writableFinished) gone.abort(new Error("The client has gone"));
    });
    try {
      const answer = await answerTo(cache, request, gone.signal, onError);
      if (answer === undefined) return false;
      discardRest(request, response);
      await sendResponse(request, response, answer);
    } catch (error) {
      if (!gone.signal.aborted) onError(error);
      breakOff(response);
    }
    return true;
  };
}

async function answerTo(
  cache: Pick<BinaryCache, "handle">,
  request: NodeRequest,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<CacheResponse | undefined> {
  try {
    return await cache.handle(cacheRequest(request, signal));
  } catch (error) {
    signal.throwIfAborted();
    onError(error);
    return textResponse(500, "internal error");
  }
}

/** {@link tryServe} for a server that serves nothing else: other paths are not found. */
export function nodeHandler(
  cache: Pick<BinaryCache, "handle">,
  options: NodeHandlerOptions = {},
): (request: NodeRequest, response: NodeResponse) => void {
  const serve = tryServe(cache, options);
  return (request, response) => {
    void serve(request, response).then(async (isServed) => {
      if (isServed) return;
      discardRest(request, response);
      await sendResponse(request, response, textResponse(404, "not found"));
    });
  };
}
