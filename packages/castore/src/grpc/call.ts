/**
 * Calls over a transport of Connect, which keep to the rules of our contracts: an abort rejects with the
 * reason of its signal, a stream that is left early ends the call, and calls that change nothing are
 * tried again when the other side could not be reached. Other failures come as they are, as ConnectError.
 */
import type {
  DescMessage,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { CallOptions } from "../blobservice/blob-service.js";
import { CastoreError } from "../errors.js";
import { LinkedAbort } from "../linked-abort.js";
import { inTime, type Pace } from "./in-time.js";
import { retrying, waitBeforeRetry } from "./retry.js";

/** How long a stream may bring nothing while it is waited for, in milliseconds. */
export const SILENCE_MS = 30_000;

/** One message is enough. */
const ANY_MESSAGE: Pace<unknown> = { windowMs: SILENCE_MS, amount: 1, measure: () => 1 };

/** Options of {@link callServerStream}. */
export interface StreamOptions<T> extends CallOptions {
  /** What the stream has to bring; a message in {@link SILENCE_MS} by default. */
  readonly pace?: Pace<T>;
}

/** The answer to a unary call. */
export interface UnaryAnswer<O extends DescMessage> {
  readonly header: Headers;
  readonly message: MessageShape<O>;
}

/** Makes a call that may be repeated without harm. */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  options: CallOptions = {},
): Promise<UnaryAnswer<O>> {
  return retrying(() => callUnaryOnce(transport, method, input, options), options);
}

/** {@link callUnary} for a call that must not be repeated. */
export async function callUnaryOnce<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
  { signal }: CallOptions = {},
): Promise<UnaryAnswer<O>> {
  signal?.throwIfAborted();
  // Transports listen to the signal, each call anew: it may be that of many calls.
  const call = signal && new LinkedAbort(signal);
  try {
    return await transport.unary(method, call?.signal, undefined, undefined, input);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    call?.end();
  }
}

/**
 * Makes a call that answers with a stream and may be repeated without harm; it is, as long as nothing
 * has come. Leaving the stream ends the call.
 */
export async function* callServerStream<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodStreaming<I, O>,
  input: MessageInitShape<I>,
  options: StreamOptions<MessageShape<O>> = {},
): AsyncGenerator<MessageShape<O>, void, undefined> {
  for (let attempt = 0; ; attempt++) {
    let begun = false;
    try {
      for await (const message of callServerStreamOnce(transport, method, input, options)) {
        begun = true;
        yield message;
      }
      return;
    } catch (error) {
      if (begun) throw error;
      await waitBeforeRetry(error, attempt, options.signal);
    }
  }
}

/** {@link callServerStream} for who takes care of repeating the call. */
export async function* callServerStreamOnce<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodStreaming<I, O>,
  input: MessageInitShape<I>,
  { signal, pace = ANY_MESSAGE }: StreamOptions<MessageShape<O>> = {},
): AsyncGenerator<MessageShape<O>, void, undefined> {
  const call = new LinkedAbort(signal);
  const messages = answers(transport, method, input, call.signal);
  try {
    for await (const item of inTime(messages, pace, (reason) => call.end(reason))) {
      yield item;
      signal?.throwIfAborted();
    }
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    call.end();
  }
}

async function* answers<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodStreaming<I, O>,
  input: MessageInitShape<I>,
  signal: AbortSignal,
): AsyncGenerator<MessageShape<O>, void, undefined> {
  const { message } = await transport.stream(method, signal, undefined, undefined, single(input));
  yield* message;
}

/**
 * Makes a call that takes a stream, once. When `input` fails, the call ends and rejects with that failure.
 * `input` is used up or left behind: whatever it holds is for the caller to close, who can also end a
 * step that it hangs in.
 */
export async function callClientStream<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodStreaming<I, O>,
  input: AsyncIterable<MessageInitShape<I>>,
  { signal }: CallOptions = {},
): Promise<MessageShape<O>> {
  const call = new LinkedAbort(signal);
  const watched = new WatchedInput(input);
  try {
    call.signal.throwIfAborted();
    const { message } = await transport.stream(
      method,
      call.signal,
      undefined,
      undefined,
      watched.items(),
    );
    const only = await onlyMessage(message);
    if (watched.ended) return only;
    throw new CastoreError("CORRUPT", "Cannot read an answer: it came before all was sent");
  } catch (error) {
    signal?.throwIfAborted();
    throw watched.failure === undefined ? error : watched.failure.error;
  } finally {
    call.end();
  }
}

async function onlyMessage<T>(messages: AsyncIterable<T>): Promise<T> {
  let only: { readonly message: T } | undefined;
  for await (const message of messages) {
    if (only !== undefined) {
      throw new CastoreError("CORRUPT", "Cannot read an answer: there are two where one is due");
    }
    only = { message };
  }
  if (only !== undefined) return only.message;
  throw new CastoreError("CORRUPT", "Cannot read an answer: the call ended without one");
}

/** Tells a failure of the input from one of the call, and an answer that is due from an early one. */
class WatchedInput<T> {
  readonly #input: AsyncIterable<T>;
  failure: { readonly error: unknown } | undefined;
  ended = false;

  constructor(input: AsyncIterable<T>) {
    this.#input = input;
  }

  async *items(): AsyncGenerator<T, void, undefined> {
    for await (const item of this.#pulled()) yield item;
    this.ended = true;
  }

  /** Apart from {@link items}, into which the transport may throw failures of its own. */
  async *#pulled(): AsyncGenerator<T, void, undefined> {
    try {
      yield* this.#input;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

async function* single<T>(item: T): AsyncGenerator<T, void, undefined> {
  yield item;
}
