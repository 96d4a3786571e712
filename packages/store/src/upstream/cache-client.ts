import { type Clock, concatBytes, Semaphore, SYSTEM_CLOCK } from "@tvix/castore";
import { Attempts, parseRetryAfter, type RetryPolicy, withRetries } from "./attempts.js";
import { type CacheAddress, showUrl } from "./cache-address.js";
import { decodeContent } from "./content-decoding.js";
import { NodeTransport } from "./node-transport.js";
import { drain, firstLine } from "./read-answer.js";
import type { HttpRequest, HttpResponse, HttpTransport } from "./transport.js";
import { UpstreamError } from "./upstream-error.js";

/** How patient a client is; all in milliseconds. */
export interface CacheTimeouts {
  /** Until a connection is there; 10,000 by default. */
  readonly connect?: number;
  /** From there until an answer begins; 30,000 by default. */
  readonly headers?: number;
  /** Between two pieces of a body, while somebody waits for the next; 30,000 by default. */
  readonly stall?: number;
}

export interface CacheClientOptions {
  readonly timeouts?: CacheTimeouts;
  readonly retries?: RetryPolicy;
  /** Requests at a time; 16 by default. */
  readonly concurrency?: number;
  /** Redirects of one request; 10 by default. */
  readonly maxRedirects?: number;
  /**
   * What goes into `Authorization`, such as `Bearer TOKEN`: sent with every request to the cache itself, and
   * to no other server. What the address says by default.
   */
  readonly authorization?: string | undefined;
  /** Node's HTTP by default. */
  readonly transport?: HttpTransport;
  readonly clock?: Clock;
}

/** What was sent and received, over all requests. */
export interface CacheTraffic {
  requests: number;
  /** Of bodies, as they came over the network. */
  bytesReceived: number;
  bytesSent: number;
}

/** What a request has to say. */
export type Exchange = Omit<HttpRequest, "url" | "signal"> & { readonly url: URL };

/** Statuses by which a cache says that it does not have something. S3 says 403 to who may not list. */
const ABSENT: ReadonlySet<number> = new Set([404, 410, 403]);

/** Failures of a server that do not pass by themselves. */
const PERMANENT_5XX: ReadonlySet<number> = new Set([501, 505, 511]);

const USER_AGENT = "tvix";

/** Talks to one binary cache: time limits, redirects, credentials and what a status means. */
export class CacheClient {
  readonly url: URL;
  readonly traffic: CacheTraffic = { requests: 0, bytesReceived: 0, bytesSent: 0 };
  readonly clock: Clock;
  readonly #options: CacheClientOptions;
  readonly #transport: HttpTransport;
  readonly #places: Semaphore;
  readonly #timeouts: Required<CacheTimeouts>;

  constructor(address: CacheAddress, options: CacheClientOptions = {}) {
    this.url = address.url;
    this.#options = {
      ...options,
      authorization: options.authorization ?? address.authorization,
    };
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.#transport = options.transport ?? new NodeTransport();
    this.#places = new Semaphore(options.concurrency ?? 16);
    this.#timeouts = { connect: 10_000, headers: 30_000, stall: 30_000, ...options.timeouts };
  }

  /** What goes into `Authorization` for the cache itself. Never show it. */
  get authorization(): string | undefined {
    return this.#options.authorization;
  }

  /** Lets go of idle connections. */
  close(): void {
    this.#transport.close();
  }

  /** A new count of failures, for a task that may take several requests. */
  attempts(signal?: AbortSignal): Attempts {
    return new Attempts({ clock: this.clock, ...this.#options.retries }, signal);
  }

  /** Waits until there may be one more request. @returns ends that */
  place(signal?: AbortSignal): Promise<() => void> {
    return this.#places.acquire(signal);
  }

  /**
   * A short answer, whole; `undefined` when the cache does not have it. Tries again what may pass.
   *
   * @throws {@link UpstreamError}
   */
  async small(url: URL, maxBytes: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const attempts = this.attempts(signal);
    return await withRetries(attempts, async () => {
      return await this.#places.run(() => this.#smallOnce(url, maxBytes, signal), signal);
    });
  }

  async #smallOnce(
    url: URL,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const response = await this.open({ method: "GET", url, headers: {} }, signal);
    if (response === undefined) return undefined;
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const bytes of decodeContent(response, url)) {
      length += bytes.byteLength;
      if (length > maxBytes) {
        const what = `${showUrl(url)} is longer than ${maxBytes} bytes`;
        throw new UpstreamError("too-large", `Cannot read from a cache: ${what}`);
      }
      parts.push(bytes);
    }
    return concatBytes(parts);
  }

  /**
   * Whether the cache has something. Tries again what may pass.
   *
   * @throws {@link UpstreamError}
   */
  async has(url: URL, signal?: AbortSignal): Promise<boolean> {
    return await withRetries(this.attempts(signal), async () => {
      return await this.#places.run(() => this.#hasOnce(url, signal), signal);
    });
  }

  async #hasOnce(url: URL, signal?: AbortSignal): Promise<boolean> {
    const response = await this.open({ method: "HEAD", url, headers: {} }, signal);
    if (response === undefined) return false;
    await drain(response);
    return true;
  }

  /**
   * Sends something. Tries again what may pass: what is put twice is the same in a cache, whose names follow
   * from the content.
   *
   * @param headers - with the type and length of the body
   * @param open - makes the body, for each attempt anew
   * @throws {@link UpstreamError}; what the body throws passes through as it is
   */
  async put(
    url: URL,
    headers: Readonly<Record<string, string>>,
    open: () => AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<void> {
    await withRetries(this.attempts(signal), async () => {
      await this.#places.run(() => this.#putOnce(url, headers, open(), signal), signal);
    });
  }

  async #putOnce(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    const counted = this.#countSent(body, (error) => {
      failure = { error };
    });
    const exchange = { method: "PUT", url, headers, body: counted } as const;
    const response = await this.open(exchange, signal).catch((error: unknown) => {
      // To send it again would not help.
      throw failure === undefined ? error : failure.error;
    });
    if (response === undefined) {
      const what = `Cannot write ${showUrl(url)}: the cache takes nothing there`;
      throw new UpstreamError("status", what);
    }
    await drain(response);
  }

  async *#countSent(
    body: AsyncIterable<Uint8Array>,
    onFailure: (error: unknown) => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const bytes of body) {
        this.traffic.bytesSent += bytes.byteLength;
        yield bytes;
      }
    } catch (error) {
      onFailure(error);
      throw error;
    }
  }

  /**
   * Sends one request, after redirects, once: no place is taken, nothing tried again. The body of the
   * answer has to be read or discarded.
   *
   * @returns an answer with a status of 2xx; `undefined` when the cache does not have it
   * @throws {@link UpstreamError} for all other answers, and when there is none
   */
  async open(exchange: Exchange, signal?: AbortSignal): Promise<HttpResponse | undefined> {
    let { url } = exchange;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send({ ...exchange, url }, signal);
      const { location } = response.headers;
      if (response.status < 300 || response.status >= 400 || location === undefined) {
        return await this.#judge(response, { ...exchange, url });
      }
      response.discard();
      if (exchange.body !== undefined) {
        throw new UpstreamError("redirect", `${about(exchange)}: an upload cannot be redirected`);
      }
      if (redirects === (this.#options.maxRedirects ?? 10)) {
        throw new UpstreamError("redirect", `${about(exchange)}: too many redirects`);
      }
      url = redirected(url, location, exchange);
    }
  }

  async #judge(response: HttpResponse, exchange: Exchange): Promise<HttpResponse | undefined> {
    const { status, headers } = response;
    if (status >= 200 && status < 300) return response;
    if (ABSENT.has(status) && exchange.body === undefined) {
      await drain(response);
      return undefined;
    }
    const subject = about(exchange);
    if (status === 401 || status === 407) {
      response.discard();
      const who = status === 401 ? "the cache" : "a proxy";
      const message = `${subject}: ${who} asks for a user name and password (status ${status})`;
      throw new UpstreamError("denied", message, { status });
    }
    const why = await firstLine(response);
    const answer = `${subject}: the cache answers with status ${status}`;
    const serverFails = status >= 500 && !PERMANENT_5XX.has(status);
    throw new UpstreamError("status", why === "" ? answer : `${answer}: ${why}`, {
      status,
      transient: status === 408 || status === 429 || serverFails,
      retryAfter: parseRetryAfter(headers["retry-after"], this.clock.now()),
    });
  }

  /** Sends one request, once, within the time limits. */
  async #send(exchange: Exchange, userSignal?: AbortSignal): Promise<HttpResponse> {
    const { connect, headers, stall } = this.#timeouts;
    const controller = new AbortController();
    const subject = about(exchange);
    const limit = (milliseconds: number, what: string): (() => void) =>
      this.clock.after(milliseconds, () => {
        const message = `${subject}: ${what} for ${milliseconds / 1000} s`;
        controller.abort(new UpstreamError("timeout", message, { transient: true }));
      });
    let cancel = limit(connect, "no connection");
    const onConnect = (): void => {
      cancel();
      // An upload takes as long as it takes.
      if (exchange.body === undefined) cancel = limit(headers, "no answer");
    };
    const { signal } = controller;
    const onAbort = (): void => controller.abort(userSignal?.reason);
    userSignal?.throwIfAborted();
    userSignal?.addEventListener("abort", onAbort, { once: true });
    const unlink = (): void => userSignal?.removeEventListener("abort", onAbort);
    this.traffic.requests++;
    try {
      const request = { ...exchange, headers: this.#headers(exchange), signal };
      const response = await this.#transport.send(request, onConnect);
      const discard = (reason?: Error): void => {
        unlink();
        response.discard(reason);
      };
      const body = this.#watch(response, subject, { stall, signal, unlink });
      return { ...response, body, discard };
    } catch (cause) {
      unlink();
      userSignal?.throwIfAborted();
      if (signal.aborted) throw signal.reason;
      const why = cause instanceof Error ? cause.message : String(cause);
      const details = { cause, transient: !isLocalMistake(cause) };
      throw new UpstreamError("unreachable", `${subject}: ${why}`, details);
    } finally {
      cancel();
    }
  }

  #headers({ url, headers }: Exchange): Readonly<Record<string, string>> {
    const { authorization } = this.#options;
    const isOwn = url.origin === this.url.origin && authorization !== undefined;
    return {
      "user-agent": USER_AGENT,
      accept: "*/*",
      // What is compressed already would only be compressed again, and could not be resumed.
      "accept-encoding": "identity",
      ...headers,
      ...(isOwn ? { authorization } : {}),
    };
  }

  /** The body, which fails when nothing comes for too long. */
  async *#watch(
    response: HttpResponse,
    subject: string,
    { stall, signal, unlink }: { stall: number; signal: AbortSignal; unlink: () => void },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const iterator = response.body[Symbol.asyncIterator]();
    const fail = (): void => {
      const message = `${subject}: nothing came for ${stall / 1000} s`;
      response.discard(new UpstreamError("timeout", message, { transient: true }));
    };
    try {
      for (;;) {
        const cancel = this.clock.after(stall, fail);
        const next = await iterator.next().finally(cancel);
        if (next.done === true) return;
        this.traffic.bytesReceived += next.value.byteLength;
        yield next.value;
      }
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      if (cause instanceof UpstreamError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      const details = { cause, transient: true };
      throw new UpstreamError("truncated", `${subject}: the connection broke off: ${why}`, details);
    } finally {
      unlink();
      await iterator.return?.();
    }
  }
}

function about({ method, url }: Exchange): string {
  return method === "PUT" ? `Cannot write ${showUrl(url)}` : `Cannot read ${showUrl(url)}`;
}

function redirected(from: URL, location: string, exchange: Exchange): URL {
  const refuse = (why: string): UpstreamError =>
    new UpstreamError("redirect", `${about(exchange)}: ${why}`);
  if (!URL.canParse(location, from)) throw refuse("a redirect leads to no URL");
  const to = new URL(location, from);
  if (to.protocol !== "http:" && to.protocol !== "https:") {
    throw refuse(`a redirect leads to ${to.protocol}`);
  }
  if (from.protocol === "https:" && to.protocol === "http:") {
    throw refuse("a redirect leads from https to http");
  }
  to.username = "";
  to.password = "";
  to.hash = "";
  return to;
}

/** Whether a request failed before it left this machine, and would fail again. */
function isLocalMistake(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOTFOUND" || code.startsWith("ERR_")) return true;
  // Of certificates: they will not be trusted a second later.
  return code.includes("CERT") || code.startsWith("UNABLE_TO_VERIFY");
}
