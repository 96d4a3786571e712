/** Between the headers of `node:http2` and the `Headers` that handlers and callers see. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

/** HTTP/2 forbids these; Node throws on them. They come in when an error of another call is passed on. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "host",
  "te",
  "content-length",
]);

/** Headers that the framing sets itself and metadata must not overwrite. */
const RESERVED: ReadonlySet<string> = new Set([
  "content-type",
  "grpc-encoding",
  "grpc-accept-encoding",
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
  "grpc-timeout",
]);

/** What came over the wire, without the pseudo headers. */
export function toHeaders(incoming: IncomingHttpHeaders | undefined): Headers {
  const headers = new Headers();
  for (const name in incoming) {
    const value = incoming[name];
    if (value === undefined || name.startsWith(":")) {
      continue;
    }
    for (const one of Array.isArray(value) ? value : [value]) {
      headers.append(name, one);
    }
  }
  return headers;
}

/** Adds metadata to the headers or trailers of a message; names of the framing are left out. */
export function addMetadata(
  target: OutgoingHttpHeaders,
  metadata: Headers | undefined,
): OutgoingHttpHeaders {
  metadata?.forEach((value, name) => {
    if (!RESERVED.has(name) && !CONNECTION_HEADERS.has(name)) {
      target[name] = value;
    }
  });
  return target;
}
