import * as http from "node:http";
import * as https from "node:https";
import { pipeline } from "node:stream";
import type { HttpRequest, HttpResponse, HttpTransport } from "./transport.js";

export interface NodeTransportOptions {
  /** Authorities (PEM) to trust instead of those that Node trusts. */
  readonly ca?: string;
}

/**
 * HTTP/1.1 by Node, over connections that are kept. Not `fetch`: there each chunk passes through a web
 * stream, and neither the connection nor the pauses of a body can have a time limit of their own.
 */
export class NodeTransport implements HttpTransport {
  readonly #http: http.Agent;
  readonly #https: https.Agent;

  constructor({ ca }: NodeTransportOptions = {}) {
    // Who sends bounds how many requests there are at a time. An idle connection keeps no program from ending.
    this.#http = new http.Agent({ keepAlive: true });
    this.#https = new https.Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) });
  }

  send(request: HttpRequest, onConnect: () => void): Promise<HttpResponse> {
    const { url, method, headers, body, signal } = request;
    const isSecure = url.protocol === "https:";
    return new Promise((resolve, reject) => {
      const outgoing = isSecure
        ? https.request(url, { method, headers, signal, agent: this.#https })
        : http.request(url, { method, headers, signal, agent: this.#http });
      outgoing.once("socket", (socket) => {
        if (socket.connecting) socket.once(isSecure ? "secureConnect" : "connect", onConnect);
        else onConnect();
      });
      outgoing.on("error", reject);
      outgoing.once("response", (incoming) => resolve(responseOf(incoming)));
      if (body === undefined) {
        outgoing.end();
        return;
      }
      const watched = new WatchedBody(body);
      pipeline(watched.stream(), outgoing, (error) => {
        if (watched.failure !== undefined) reject(watched.failure.error);
        // What the server says before it has everything counts more than that it did not take the rest.
        if (error) outgoing.destroy(error);
      });
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** A body that remembers why it failed: a request that is given up for that emits no error. */
class WatchedBody {
  failure: { readonly error: unknown } | undefined;
  readonly #source: AsyncIterable<Uint8Array>;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#source;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

function responseOf(incoming: http.IncomingMessage): HttpResponse {
  const headers = Object.entries(incoming.headers).map(
    ([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")] as const,
  );
  return {
    status: incoming.statusCode ?? 0,
    headers: Object.fromEntries(headers),
    body: bodyOf(incoming),
    discard: (reason) => {
      // Nobody may be reading; then there is nobody to tell.
      incoming.on("error", () => {});
      incoming.destroy(reason);
    },
  };
}

async function* bodyOf(
  incoming: http.IncomingMessage,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of incoming) {
    const bytes = chunk as Uint8Array;
    // No Buffer crosses a module boundary.
    yield new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
