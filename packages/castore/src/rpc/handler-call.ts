import type { HandlerContext } from "@connectrpc/connect";
import { castoreErrorToConnect, type ToConnectOptions } from "./error-mapping.js";

/** Which call an error is of. */
export interface FailedCall {
  /** Full name of the service, as on the wire. */
  readonly service: string;
  readonly method: string;
}

/** Options of all handlers. */
export interface RpcOptions {
  /**
   * Told of every call that fails, with the error as it was thrown: the other side is told less. Calls
   * that the other side ended are not failures.
   */
  readonly onError?: (error: unknown, call: FailedCall) => void;
}

/** How the errors of one service, or of one method of it, are told. */
export interface ErrorPolicy extends RpcOptions {
  readonly mapping?: Omit<ToConnectOptions, "signal">;
}

/** Runs the handler of a call that has one answer. */
export async function answer<T>(
  context: HandlerContext,
  policy: ErrorPolicy,
  handle: () => Promise<T>,
): Promise<T> {
  try {
    return await handle();
  } catch (error) {
    throw toConnect(error, context, policy);
  }
}

/**
 * Runs the handler of a call that answers with a stream. `source` is closed when the call ends, also
 * when nobody asks for the rest of it: adapters leave a generator where it is when the other side goes
 * away while they wait for it to take more.
 */
export async function* answerStream<T>(
  context: HandlerContext,
  policy: ErrorPolicy,
  source: AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  // A step under way ends by itself, since the source has the same signal.
  const close = (): void => void iterator.return?.().catch(() => {});
  context.signal.addEventListener("abort", close, { once: true });
  try {
    for (;;) {
      context.signal.throwIfAborted();
      const { done, value } = await iterator.next();
      if (done === true) {
        // Closed from outside, it ends like one that is complete.
        context.signal.throwIfAborted();
        return;
      }
      yield value;
    }
  } catch (error) {
    throw toConnect(error, context, policy);
  } finally {
    context.signal.removeEventListener("abort", close);
    close();
  }
}

/**
 * How many turns of the event loop a reset has to arrive after the end of a request. On loopback it takes
 * two.
 */
const TURNS_AFTER_END = 4;

/**
 * What a client sends, to its end. A stream that was cut off fails.
 *
 * Clients in Node end a stream on their way to reset it, so an upload that is given up looks complete at
 * first. The reset is close behind: what looks like the end is believed a moment later. Across a slow
 * network it may come too late; then the start of a blob is stored as the blob that it is, which nothing
 * refers to.
 */
export async function* requestsOf<T>(
  requests: AsyncIterable<T>,
  { signal }: HandlerContext,
): AsyncGenerator<T, void, undefined> {
  for await (const request of requests) yield request;
  for (let turn = 0; turn < TURNS_AFTER_END && !signal.aborted; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
  signal.throwIfAborted();
}

function toConnect(error: unknown, context: HandlerContext, policy: ErrorPolicy): Error {
  const { signal } = context;
  const told = castoreErrorToConnect(error, { ...policy.mapping, signal });
  const isEnd = signal.aborted && (error === signal.reason || told === signal.reason);
  if (!isEnd) {
    policy.onError?.(error, { service: context.service.typeName, method: context.method.name });
  }
  return told;
}
