import type { Interceptor } from "@connectrpc/connect";

/** What interceptors wrap: a call, from its request to its response. */
export type AnyFn = ReturnType<Interceptor>;

/** Puts `interceptors` around `last`; the first one is the outermost. */
export function compose(last: AnyFn, interceptors: readonly Interceptor[]): AnyFn {
  return interceptors.reduceRight<AnyFn>((next, interceptor) => interceptor(next), last);
}

/** A stream of one message. */
export function once<T>(message: T): AsyncIterableIterator<T> {
  let taken = false;
  const iterator: AsyncIterableIterator<T> = {
    next() {
      const result = taken
        ? { done: true as const, value: undefined }
        : { done: false as const, value: message };
      taken = true;
      return Promise.resolve(result);
    },
    return: () => Promise.resolve({ done: true as const, value: undefined }),
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
