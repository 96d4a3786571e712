/**
 * The fast way for the simplest requests over HTTP/1.1: a GET whose head comes in one piece, with nothing behind
 * it and no header that would take a thought, for something that is in memory. Node's parser, its objects for
 * request and response and their events take several times as long as everything else about such a request.
 *
 * A connection leaves this way for good, for that of all others, with the first request that is not as simple:
 * nothing is ever answered here that would be answered differently there.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";

/** The response to a simple request: whole, each byte a character of latin1. */
export interface SimpleResponse {
  readonly status: number;
  /** Lines of headers, each with its line break, the length of the body among them. */
  readonly headers: string;
  readonly body: string;
}

/** A simple request. */
export interface SimpleRequest {
  /** As it was sent; there is no query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface SimpleRequestsOptions {
  /** Answers a request, or leaves it to the general way by `undefined`. */
  readonly answer: (request: SimpleRequest) => SimpleResponse | undefined;
  /** Takes the connection over, with the bytes that were read of it put back. */
  readonly leave: () => void;
  /** Lines of headers that go with every response, each with its line break. */
  readonly headers?: string;
  /** How long the connection may be unused after a response, in ms: clients are told. */
  readonly idleTimeoutMs: number;
}

/** Longer heads go the general way, which has limits of its own. */
const MAX_HEAD_LENGTH = 4096;

const BEGIN = "GET /";
const VERSION = " HTTP/1.1";
const LINE_END = "\r\n";
const HEAD_END = "\r\n\r\n";

/** The headers that say nothing about how to answer here, or what the application asks for itself. */
const SIMPLE_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "user-agent",
  "accept",
  "accept-encoding",
  "accept-language",
  "authorization",
  "cache-control",
  "connection",
  "pragma",
]);

const HEADER_LINE = /^([A-Za-z-]{1,64}): ?((?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?)$/;

/** Serves a connection as long as its requests are simple. */
export function serveSimpleRequests(socket: Socket, options: SimpleRequestsOptions): void {
  const { headers: shared = "" } = options;
  const keepAlive = `${shared}Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(options.idleTimeoutMs / 1000)}\r\n\r\n`;
  const known: KnownHeaders = { block: "", headers: undefined };
  const onData = (chunk: Buffer): void => {
    // What a client does not take in must not pile up: the general way waits for it.
    const request = socket.writableLength === 0 ? parse(chunk, known) : undefined;
    const response = request && options.answer(request);
    if (response === undefined) {
      socket.off("data", onData);
      socket.pause();
      socket.unshift(chunk);
      options.leave();
      socket.resume();
      return;
    }
    const { status, headers, body } = response;
    const text = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${headers}Date: ${dateNow()}\r\n${keepAlive}${body}`;
    socket.write(text, "latin1");
  };
  socket.on("data", onData);
}

/** What stands in most status lines; clients do not look at it. */
const REASONS: Readonly<Record<number, string>> = { 200: "OK", 404: "Not Found" };

/** The headers of the request before: those of one client are the same again and again. */
interface KnownHeaders {
  block: string;
  headers: IncomingHttpHeaders | undefined;
}

/** The request, if `chunk` is the head of a simple one and nothing else. */
function parse(chunk: Buffer, known: KnownHeaders): SimpleRequest | undefined {
  if (chunk.byteLength > MAX_HEAD_LENGTH) return undefined;
  const text = chunk.toString("latin1");
  const lineEnd = text.indexOf(LINE_END);
  const urlEnd = lineEnd - VERSION.length;
  if (!text.startsWith(BEGIN) || urlEnd < 0 || !text.startsWith(VERSION, urlEnd)) return undefined;
  const block = text.slice(lineEnd);
  if (known.headers === undefined || block !== known.block) {
    known.headers = parseHeaders(block);
    known.block = block;
  }
  const path = text.slice(BEGIN.length - 1, urlEnd);
  return known.headers === undefined || path.includes("?")
    ? undefined
    : { path, headers: known.headers };
}

/** @param block - what follows the first line, its line break included */
function parseHeaders(block: string): IncomingHttpHeaders | undefined {
  // There must be one empty line, at the end: a body, or another request, would come behind it.
  if (block.indexOf(HEAD_END) !== block.length - HEAD_END.length) return undefined;
  const headers: Record<string, string> = {};
  for (const line of block.slice(LINE_END.length, -HEAD_END.length).split(LINE_END)) {
    const [, title, value] = HEADER_LINE.exec(line) ?? [];
    const name = title?.toLowerCase();
    if (name === undefined || value === undefined) return undefined;
    if (!SIMPLE_HEADERS.has(name) || name in headers) return undefined;
    headers[name] = value;
  }
  const { connection = "keep-alive", host } = headers;
  return host !== undefined && connection.toLowerCase() === "keep-alive" ? headers : undefined;
}

let dateSecond = 0;
let dateText = "";

/** As HTTP has it (RFC 9110 §5.6.7), to the second. */
function dateNow(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
