import type { CacheRequest, CacheResponse } from "./exchange.js";

/**
 * Reads the first piece of a body before the response begins: a small one is read whole and verified by
 * then, and what cannot be read can still become another response. Bodies that HEAD asks about are let
 * alone.
 *
 * @throws what reading throws
 */
export async function readFirst(
  request: CacheRequest,
  response: CacheResponse,
): Promise<CacheResponse> {
  const { body } = response;
  if (request.method === "HEAD" || body === undefined || body instanceof Uint8Array) {
    return response;
  }
  const iterator = body[Symbol.asyncIterator]();
  const first = await iterator.next();
  return { ...response, body: continued(first, iterator) };
}

/** Not a generator: one that was never begun would not close what it goes on with. */
function continued(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let ready: IteratorResult<Uint8Array> | undefined = first;
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    async next() {
      const next = ready ?? (await rest.next());
      ready = undefined;
      return next;
    },
    async return() {
      ready = undefined;
      await rest.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
