import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** A request that went through a {@link CacheProxy}, and its answer. */
export interface PassedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly status: number;
}

export interface CacheProxyOptions {
  /** Is waited for before a request is passed on; may change where it goes. */
  readonly before?: (request: { readonly method: string; readonly path: string }) => Promise<void>;
}

/** Stands between Nix and a daemon: notes every request, and can lead to another daemon in the middle. */
export class CacheProxy implements AsyncDisposable {
  /** URL that requests are passed on to. */
  upstream: string;
  /** What went through so far, in the order of the answers. */
  readonly passed: PassedRequest[] = [];
  readonly #server = createServer();

  private constructor(upstream: string) {
    this.upstream = upstream;
  }

  static async listen(upstream: string, options: CacheProxyOptions = {}): Promise<CacheProxy> {
    const proxy = new CacheProxy(upstream);
    proxy.#server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      proxy.#pass(request, response, options).catch(() => response.destroy());
    });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** The paths of the requests with that method. */
  paths(method: string): readonly string[] {
    return this.passed.filter((request) => request.method === method).map(({ path }) => path);
  }

  async #pass(
    request: IncomingMessage,
    response: ServerResponse,
    { before }: CacheProxyOptions,
  ): Promise<void> {
    const { method = "", url: path = "", headers } = request;
    await before?.({ method, path });
    const passedOn = openRequest(`${this.upstream}${path}`, { method, headers, agent: false });
    request.pipe(passedOn);
    const [answer] = (await once(passedOn, "response")) as [IncomingMessage];
    this.passed.push({ method, path, status: answer.statusCode ?? 0 });
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
