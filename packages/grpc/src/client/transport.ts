import type { OutgoingHttpHeaders } from "node:http2";
import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  Message,
  MessageInitShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type StreamRequest,
  type StreamResponse,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { ACCEPT_ENCODING } from "../wire/compression.js";
import { type AnyFn, compose } from "../wire/interceptors.js";
import { addMetadata } from "../wire/metadata.js";
import { normalize, normalizeAll } from "../wire/normalize.js";
import { formatTimeout } from "../wire/timeout.js";
import { abortError, ClientCall } from "./call.js";
import type { Connector } from "./connector.js";
import type { ResolvedChannelOptions } from "./options.js";
import type { Session } from "./session.js";

/** Attempts for one call, as long as servers say that they have not begun with it. */
const MAX_ATTEMPTS = 4;

/** Who we are. */
const USER_AGENT = "tvix-grpc-node";

/** One call to be made. */
interface CallPlan {
  readonly method: DescMethod;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeadersInit | undefined;
}

/** gRPC over `node:http2`, as a transport for connect clients. */
export class Http2Transport implements Transport {
  readonly #connector: Connector;
  readonly #options: ResolvedChannelOptions;

  constructor(connector: Connector, options: ResolvedChannelOptions) {
    this.#connector = connector;
    this.#options = options;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const plan = { method, signal, timeoutMs: this.#timeout(timeoutMs), header };
    const response = this.#isPlain
      ? await this.#callUnary(plan, input)
      : await this.#intercepted(plan, input, contextValues);
    // The message was decoded with the schema of the method.
    return response as UnaryResponse<I, O>;
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    const plan = { method, signal, timeoutMs: this.#timeout(timeoutMs), header };
    const response = this.#isPlain
      ? await this.#callStream(plan, input)
      : await this.#intercepted(plan, input, contextValues);
    return response as StreamResponse<I, O>;
  }

  get #isPlain(): boolean {
    return (this.#options.interceptors?.length ?? 0) === 0;
  }

  /** As in connect: 0 and less mean no deadline, also no default. */
  #timeout(timeoutMs: number | undefined): number | undefined {
    const chosen = timeoutMs ?? this.#options.defaultTimeoutMs;
    return chosen !== undefined && chosen > 0 ? chosen : undefined;
  }

  #callUnary(plan: CallPlan, input: unknown): Promise<UnaryResponse> {
    return this.#attempt(plan, true, async (call) => {
      const message = await exchange(call, input);
      return unaryResponse(plan.method, call, message);
    });
  }

  async #callStream(plan: CallPlan, input: AsyncIterable<unknown>): Promise<StreamResponse> {
    // A request of one message can be sent again, a stream cannot.
    const single = plan.method.methodKind === "server_streaming";
    const request = single ? await onlyMessage(input) : undefined;
    return this.#attempt(plan, single, async (call) => {
      if (single) {
        sendOrCancel(call, request);
      } else {
        void call.sendAll(input);
      }
      await call.head();
      return streamResponse(plan.method, call);
    });
  }

  /** Makes a call; where `retriable`, again as long as the server has not begun with it. */
  async #attempt<T>(
    plan: CallPlan,
    retriable: boolean,
    run: (call: ClientCall) => Promise<T>,
  ): Promise<T> {
    const { method, signal, timeoutMs } = plan;
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    for (let attempt = 1; ; attempt++) {
      const session = this.#connector.current ?? (await this.#connect(plan, deadline));
      const remaining = deadline === undefined ? undefined : deadline - performance.now();
      const call = new ClientCall(session, method, this.#headers(plan, remaining), {
        signal,
        timeoutMs: remaining,
        limits: this.#options,
      });
      try {
        return await run(call);
      } catch (error) {
        if (!retriable || !call.isUnprocessed || attempt === MAX_ATTEMPTS) {
          throw error;
        }
      }
    }
  }

  /** Waits for a connection no longer than the call may take. */
  #connect(plan: CallPlan, deadline: number | undefined): Promise<Session> {
    const connecting = this.#connector.connect();
    const { signal } = plan;
    if (signal === undefined && deadline === undefined) {
      return connecting;
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(abortError(signal));
      const timer =
        deadline === undefined
          ? undefined
          : setTimeout(
              () => reject(new ConnectError("the deadline has passed", Code.DeadlineExceeded)),
              deadline - performance.now(),
            );
      signal?.addEventListener("abort", onAbort);
      connecting.then(resolve, reject).finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      });
      if (signal?.aborted === true) {
        onAbort();
      }
    });
  }

  #headers(plan: CallPlan, timeoutMs: number | undefined): OutgoingHttpHeaders {
    const { method, header } = plan;
    const headers: OutgoingHttpHeaders = {
      ":method": "POST",
      ":path": `/${method.parent.typeName}/${method.name}`,
      "content-type": "application/grpc+proto",
      te: "trailers",
      "user-agent": USER_AGENT,
      "grpc-accept-encoding": ACCEPT_ENCODING,
    };
    const { token } = this.#options;
    if (token !== undefined) {
      headers["authorization"] = `Bearer ${typeof token === "function" ? token() : token}`;
    }
    if (timeoutMs !== undefined) {
      headers["grpc-timeout"] = formatTimeout(timeoutMs);
    }
    return header === undefined ? headers : addMetadata(headers, new Headers(header));
  }

  #intercepted(
    plan: CallPlan,
    input: unknown,
    contextValues: ContextValues | undefined,
  ): Promise<UnaryResponse | StreamResponse> {
    const { method } = plan;
    const stream = method.methodKind !== "unary";
    const last: AnyFn = (request) => {
      const next = { ...plan, signal: request.signal, header: request.header };
      return request.stream
        ? this.#callStream(next, request.message)
        : this.#callUnary(next, request.message);
    };
    const request = {
      stream,
      service: method.parent,
      method,
      requestMethod: "POST",
      url: `http://localhost/${method.parent.typeName}/${method.name}`,
      signal: plan.signal ?? new AbortController().signal,
      header: new Headers(plan.header),
      contextValues: contextValues ?? createContextValues(),
      message: stream
        ? normalizeAll(method.input, input as AsyncIterable<unknown>)
        : normalize(method.input, input),
    };
    return compose(
      last,
      this.#options.interceptors ?? [],
    )(request as unknown as UnaryRequest | StreamRequest);
  }
}

/** Sends one message and receives one. */
async function exchange(call: ClientCall, input: unknown): Promise<Message> {
  sendOrCancel(call, input);
  const first = await call.inbox.next();
  if (first.done) {
    throw new ConnectError("the server answered without a message", Code.Unimplemented);
  }
  // The status comes after the message: the call has failed when it is an error.
  const second = await call.inbox.next();
  if (!second.done) {
    call.cancel(new ConnectError("the server sent more than one message", Code.Unimplemented));
    throw new ConnectError("the server sent more than one message", Code.Unimplemented);
  }
  return first.value;
}

function sendOrCancel(call: ClientCall, message: unknown): void {
  try {
    call.sendOnly(message);
  } catch (error) {
    call.cancel(ConnectError.from(error, Code.Internal));
  }
}

async function onlyMessage(input: AsyncIterable<unknown>): Promise<unknown> {
  for await (const message of input) {
    return message;
  }
  throw new ConnectError("Cannot call: there is no request message", Code.InvalidArgument);
}

function unaryResponse(method: DescMethod, call: ClientCall, message: Message): UnaryResponse {
  return {
    stream: false,
    service: method.parent,
    method: method as DescMethodUnary,
    message,
    get header() {
      return call.header;
    },
    get trailer() {
      return call.trailer;
    },
  };
}

function streamResponse(method: DescMethod, call: ClientCall): StreamResponse {
  return {
    stream: true,
    service: method.parent,
    method: method as DescMethodStreaming,
    message: call.inbox,
    get header() {
      return call.header;
    },
    get trailer() {
      return call.trailer;
    },
  };
}
