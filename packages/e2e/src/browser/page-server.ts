import { readFile } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname, join } from "node:path";

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };

/**
 * Serves the files of a folder on a free port of 127.0.0.1 and takes one report from the page. Other
 * things that the page posts are passed on to another server, which so has the origin of the page.
 */
export class PageServer {
  readonly #server: Server;
  /** What the page posted to `/report`. */
  readonly report: Promise<string>;

  private constructor(server: Server, report: Promise<string>) {
    this.#server = server;
    this.report = report;
  }

  /** @param upstream - URL of the server that other things are passed on to; none by default */
  static async listen(folder: string, upstream?: string): Promise<PageServer> {
    const server = createServer();
    const report = new Promise<string>((resolve) => {
      server.on("request", (request, response) => {
        if (upstream !== undefined && request.method === "POST" && request.url !== "/report") {
          passOn(upstream, request, response);
        } else {
          void answer(folder, request, response, resolve);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new PageServer(server, report);
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function passOn(upstream: string, request: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = request;
  const passed = openRequest(`${upstream}${request.url}`, { method, headers }, (answered) => {
    response.writeHead(answered.statusCode ?? 502, answered.headers);
    answered.pipe(response);
  });
  passed.on("error", () => response.destroy());
  response.on("close", () => passed.destroy());
  request.pipe(passed);
}

async function answer(
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
  onReport: (body: string) => void,
): Promise<void> {
  if (request.url === "/report") {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.writeHead(204).end();
    onReport(Buffer.concat(chunks).toString("utf8"));
    return;
  }
  const file = request.url === "/" ? "index.html" : basename(request.url ?? "");
  try {
    const body = await readFile(join(folder, file));
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}
