/**
 * Requests and responses of HTTP as far as a binary cache needs them, free of any server: an adapter
 * makes the one and sends the other.
 */

/** A request. */
export interface CacheRequest {
  /** In capital letters. */
  readonly method: string;
  /** Raw, from the first slash, below the URL of the cache: nothing in it is decoded. */
  readonly path: string;
  /** What follows the question mark; empty when nothing does. */
  readonly query: string;
  /** Names in lower case. Several values of one name may be joined or listed. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** One-shot; read only by requests that need it. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Aborted when nobody waits for the response any more. */
  readonly signal: AbortSignal;
  /**
   * Whether a piece of the body of the response may become invalid as soon as the next one is asked for; false by
   * default. It spares a copy of all bytes.
   */
  readonly takesLentBytes?: boolean;
}

/** Headers of a response; names in lower case. */
export type CacheHeaders = Readonly<Record<string, string>>;

/** A response. */
export interface CacheResponse {
  readonly status: number;
  readonly headers: CacheHeaders;
  /**
   * What to send; nothing when it is absent. If it throws, the response has to be cut off in a way that the client
   * notices: what came is not the whole.
   */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/** A header with several values joined; `undefined` when there is none. */
export function headerOf({ headers }: CacheRequest, name: string): string | undefined {
  const value = headers[name];
  return value === undefined || typeof value === "string" ? value : value.join(", ");
}

/** A response that is one line of text. */
export function textResponse(
  status: number,
  line: string,
  headers: CacheHeaders = {},
): CacheResponse {
  const body = new TextEncoder().encode(`${line}\n`);
  return {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(body.byteLength),
      "cache-control": "no-store",
      ...headers,
    },
    body,
  };
}

/** A response without content that says that all is well. Nix takes 200, 201 and 204 for that only. */
export const DONE: CacheResponse = { status: 200, headers: { "content-length": "0" } };
