/** A request that goes out once. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT";
  /** Without user name and password. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Its length is in the headers where it is known. */
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** An answer whose body is still to come. One of {@link body} and {@link discard} has to be used. */
export interface HttpResponse {
  readonly status: number;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** One-shot; fails when the connection breaks before its end. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the answer, now, so that reading it fails with `reason`. */
  discard(reason?: Error): void;
}

/** Sends requests and follows no redirects. */
export interface HttpTransport {
  /** @param onConnect - called when the connection is there, new or old */
  send(request: HttpRequest, onConnect: () => void): Promise<HttpResponse>;
  /** Lets go of idle connections. */
  close(): void;
}
