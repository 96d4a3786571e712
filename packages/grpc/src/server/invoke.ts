/** Calls the implementation of a method, through interceptors where there are any. */

import type { Message } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type HandlerContext,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { Inbox } from "../wire/inbox.js";
import { type AnyFn, compose, once } from "../wire/interceptors.js";
import { normalize, normalizeAll } from "../wire/normalize.js";
import { type CallContext, overrideContext } from "./call-context.js";
import type { MethodEntry } from "./method-table.js";

/** A handler with its types taken off: the method table pairs it with the schemas of its method. */
type AnyImpl = (request: unknown, context: HandlerContext) => unknown;

/** What a call answers: one message, or a stream of them. */
export type Answer =
  | { readonly stream: false; readonly message: unknown }
  | { readonly stream: true; readonly messages: AsyncIterator<unknown> };

/**
 * Reads what the kind of method needs of the request and runs the handler.
 *
 * @throws whatever the handler throws, and ConnectError when the request does not fit the kind
 */
export async function invoke(
  entry: MethodEntry,
  inbox: Inbox,
  context: CallContext,
): Promise<Answer> {
  const { spec } = entry;
  const impl = spec.impl as AnyImpl;
  const single = spec.kind === "unary" || spec.kind === "server_streaming";
  const request = single ? await onlyMessage(inbox) : inbox;
  if (entry.interceptors.length > 0) {
    return intercepted(entry, request, context);
  }
  if (spec.kind === "unary" || spec.kind === "client_streaming") {
    return { stream: false, message: await impl(request, context) };
  }
  return { stream: true, messages: iteratorOf(impl(request, context)) };
}

/** The one message of a request; more or none is a fault of the peer. */
async function onlyMessage(inbox: Inbox): Promise<Message> {
  const first = await inbox.next();
  if (first.done) {
    throw new ConnectError("Cannot read request: there is no message", Code.Unimplemented);
  }
  return first.value;
}

async function intercepted(
  entry: MethodEntry,
  request: Message | Inbox,
  context: CallContext,
): Promise<Answer> {
  const { spec } = entry;
  const stream = spec.kind !== "unary";
  const common = {
    service: spec.method.parent,
    method: spec.method,
    requestMethod: context.requestMethod,
    url: context.url,
    signal: context.signal,
    header: context.requestHeader,
    contextValues: context.values,
  };
  const message = stream && !(Symbol.asyncIterator in request) ? once(request) : request;
  const last: AnyFn = (next) => runLast(entry, next as UnaryRequest, context);
  const response = await compose(
    last,
    entry.interceptors,
  )({ ...common, stream, message } as unknown as UnaryRequest);
  adopt(response.header, context.responseHeader);
  if (!response.stream) {
    adopt(response.trailer, context.responseTrailer);
    return { stream: false, message: response.message };
  }
  const messages = response.message[Symbol.asyncIterator]();
  if (spec.kind === "client_streaming") {
    const only = await messages.next();
    adopt(response.trailer, context.responseTrailer);
    return { stream: false, message: only.value };
  }
  return { stream: true, messages: withTrailers(messages, response, context) };
}

/** The end of the chain of interceptors: the handler itself. */
async function runLast(
  entry: MethodEntry,
  request: UnaryRequest,
  context: CallContext,
): Promise<UnaryResponse | StreamResponse> {
  const { spec } = entry;
  const impl = spec.impl as AnyImpl;
  const handlerContext = overrideContext(context, request);
  const common = {
    service: spec.method.parent,
    method: spec.method,
    header: context.responseHeader,
    trailer: context.responseTrailer,
  };
  const messages = request.message as unknown as AsyncIterable<unknown>;
  let message: unknown;
  if (spec.kind === "unary") {
    message = normalize(spec.method.output, await impl(request.message, handlerContext));
  } else if (spec.kind === "client_streaming") {
    message = once(normalize(spec.method.output, await impl(messages, handlerContext)));
  } else {
    const isSingle = spec.kind === "server_streaming";
    const input = isSingle ? (await messages[Symbol.asyncIterator]().next()).value : messages;
    const answers = impl(input, handlerContext) as AsyncIterable<unknown>;
    message = normalizeAll(spec.method.output, answers);
  }
  return { ...common, stream: spec.kind !== "unary", message } as unknown as UnaryResponse;
}

function withTrailers(
  messages: AsyncIterator<unknown>,
  response: StreamResponse,
  context: CallContext,
): AsyncIterator<unknown> {
  return {
    async next() {
      const result = await messages.next();
      if (result.done) {
        adopt(response.trailer, context.responseTrailer);
      }
      return result;
    },
    async return() {
      await messages.return?.();
      return { done: true, value: undefined };
    },
  };
}

function iteratorOf(messages: unknown): AsyncIterator<unknown> {
  return (messages as AsyncIterable<unknown>)[Symbol.asyncIterator]();
}

/** Makes `to` what an interceptor returned, when that is another object. */
function adopt(from: Headers, to: Headers): void {
  if (from === to) {
    return;
  }
  for (const name of [...to.keys()]) {
    to.delete(name);
  }
  from.forEach((value, name) => {
    to.set(name, value);
  });
}
