import type { ServerResponse } from "node:http";
import type { AnswerAtOnce, HttpFallback, HttpRequest, HttpResponse } from "@tvix/grpc";
import { binaryCacheRoute, type PeekText, type TryServe } from "@tvix/store/http";
import type { Life } from "../life/life.js";
import { errorText, type Logger } from "../log/logger.js";

/** What a page needs of the daemon. */
export interface HttpRoutesOptions {
  readonly life: Life;
  readonly logger: Logger;
  /** Text for Prometheus; `undefined` when that is off. */
  readonly metrics: HttpMetrics | undefined;
  /** Serves the paths of the binary cache; they are not found where it is absent. */
  readonly serveCache?: TryServe;
}

/** What is counted, and the page that shows it. */
interface HttpMetrics {
  text(): Promise<string>;
  readonly contentType: string;
  /** @param route - says nothing about the client */
  pageServed(route: string, status: number): void;
}

interface Page {
  readonly status: number;
  readonly text: string;
  readonly contentType?: string;
  readonly allow?: string;
}

const NOT_FOUND: Page = { status: 404, text: "not found\n" };

/** Serves everything that is not a call: health, readiness, metrics, the binary cache; the rest is not found. */
export function httpRoutes(options: HttpRoutesOptions): HttpFallback {
  const { serveCache, metrics } = options;
  return (request, response) => {
    const path = (request.url ?? "").replace(/[?#].*$/s, "");
    const page = PAGES.get(path);
    const route = page === undefined ? binaryCacheRoute(path) : path;
    response.once("close", () => {
      metrics?.pageServed(route ?? "none", response.headersSent ? response.statusCode : 0);
    });
    if (page === undefined && route !== undefined && serveCache !== undefined) {
      void serveCache(request, response).then((isServed) => {
        if (!isServed) servePage(request, response, page, options);
      });
      return;
    }
    servePage(request, response, page, options);
  };
}

/** Answers plain requests for what the binary cache has at once, with the same headers as {@link httpRoutes}. */
export function cacheAnswers(
  peek: PeekText,
  metrics: Pick<HttpMetrics, "pageServed"> | undefined,
): AnswerAtOnce {
  return ({ path }) => {
    const response = peek(path);
    if (response !== undefined && metrics !== undefined) {
      metrics.pageServed(binaryCacheRoute(path) ?? "none", response.status);
    }
    return response;
  };
}

function servePage(
  request: HttpRequest,
  response: HttpResponse,
  page: MakePage | undefined,
  options: HttpRoutesOptions,
): void {
  // Nobody reads a body that was sent along: taking it in lets the connection go on.
  request.resume();
  const isHead = request.method === "HEAD";
  pageFor(request, page, options).then(
    (made) => send(response, made, isHead),
    (error: unknown) => {
      options.logger.error("a page could not be made", { error: errorText(error) });
      send(response, { status: 500, text: "internal error\n" }, isHead);
    },
  );
}

async function pageFor(
  request: HttpRequest,
  page: MakePage | undefined,
  options: HttpRoutesOptions,
): Promise<Page> {
  if (page === undefined) return NOT_FOUND;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: 405, text: "only GET and HEAD are allowed here\n", allow: "GET, HEAD" };
  }
  return await page(options);
}

type MakePage = (options: HttpRoutesOptions) => Page | Promise<Page>;

const PAGES: ReadonlyMap<string, MakePage> = new Map<string, MakePage>([
  ["/healthz", () => ({ status: 200, text: "ok\n" })],
  ["/readyz", ({ life }) => readiness(life)],
  ["/metrics", ({ metrics }) => metricsPage(metrics)],
]);

function readiness({ state, isServing }: Life): Page {
  return isServing ? { status: 200, text: "ready\n" } : { status: 503, text: `${state}\n` };
}

async function metricsPage(metrics: HttpRoutesOptions["metrics"]): Promise<Page> {
  if (metrics === undefined) return NOT_FOUND;
  return { status: 200, text: await metrics.text(), contentType: metrics.contentType };
}

function send(response: HttpResponse, page: Page, isHead: boolean): void {
  const { status, text, contentType = "text/plain; charset=utf-8", allow } = page;
  const headers = {
    "content-type": contentType,
    "content-length": String(Buffer.byteLength(text)),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(allow === undefined ? {} : { allow }),
  };
  // The two classes have the same methods, and no type of their own that says so.
  const plain = response as ServerResponse;
  plain.writeHead(status, headers);
  plain.end(isHead ? undefined : text);
}
