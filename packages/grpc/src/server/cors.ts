import { cors } from "@connectrpc/connect";
import type { HttpRequest, HttpResponse } from "./http-surface.js";

/** Which pages of other origins may call. Source of the rules: the Fetch standard, section "CORS protocol". */
export interface CorsOptions {
  /** As browsers send them: `https://example.org`, `http://localhost:5173`. */
  readonly origins: readonly string[];
  /** Headers of responses that these pages may see, besides those that the protocols need. */
  readonly exposedHeaders?: readonly string[] | undefined;
}

/** Looks at a request before anything else does. Returns true when it has answered it. */
export type CorsGate = (request: HttpRequest, response: HttpResponse) => boolean;

/** How long a browser may remember the answer to a preflight, in seconds: what Chromium takes at most. */
const MAX_AGE_SECONDS = 7200;

/** For calls, and for pages such as /metrics. */
const METHODS = [...cors.allowedMethods, "HEAD"].join(", ");

/** What the protocols send, and tokens and traces. */
const REQUEST_HEADERS = [...cors.allowedHeaders, "Authorization", "Traceparent", "Tracestate"].join(
  ", ",
);

/** What every answer depends on where pages of other origins may call. */
const VARY = "Origin";

/** {@link VARY} as a line of headers, for answers that the gate does not see. */
export const CORS_HEADER_LINE: string = `vary: ${VARY}\r\n`;

/**
 * Answers the preflights of the pages that may call, and lets those see the answers to their calls.
 * Everyone else is treated as if this were not here: it is their browser that keeps answers from them.
 * Preflights carry no token, so none is asked for.
 */
export function createCorsGate({ origins, exposedHeaders = [] }: CorsOptions): CorsGate {
  const allowed = new Set(origins);
  const exposed = [...cors.exposedHeaders, ...exposedHeaders].join(", ");
  return (request, response) => {
    // Caches must not give the answer for one origin to another.
    response.setHeader("vary", VARY);
    const { origin } = request.headers;
    if (origin === undefined || !allowed.has(origin)) {
      return false;
    }
    response.setHeader("access-control-allow-origin", origin);
    if (!isPreflight(request)) {
      response.setHeader("access-control-expose-headers", exposed);
      return false;
    }
    response.statusCode = 204;
    response.setHeader("access-control-allow-methods", METHODS);
    response.setHeader("access-control-allow-headers", REQUEST_HEADERS);
    response.setHeader("access-control-max-age", String(MAX_AGE_SECONDS));
    request.resume();
    response.end();
    return true;
  };
}

function isPreflight({ method, headers }: HttpRequest): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}
