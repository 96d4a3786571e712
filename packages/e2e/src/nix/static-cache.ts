import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join, normalize } from "node:path";
import { pipeline } from "node:stream/promises";

/** A binary cache that is a directory of files, as any server of files makes one. Takes PUT, too. */
export class StaticCache implements AsyncDisposable {
  readonly directory: string;
  /** Method and path of each request. */
  readonly requests: string[] = [];
  readonly #server = createServer();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async listen(directory: string): Promise<StaticCache> {
    const cache = new StaticCache(directory);
    cache.#server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      cache.#answer(request, response).catch(() => response.destroy());
    });
    cache.#server.listen(0, "127.0.0.1");
    await once(cache.#server, "listening");
    return cache;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests with that method for NARs. */
  nars(method: string): readonly string[] {
    return this.requests.filter((request) => request.startsWith(`${method} /nar/`));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    this.requests.push(`${method} ${url}`);
    const file = join(this.directory, normalize(decodeURIComponent(url)));
    if (method === "PUT") {
      const parts: Uint8Array[] = [];
      for await (const part of request) parts.push(part as Uint8Array);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, Buffer.concat(parts));
      response.writeHead(201).end();
      return;
    }
    const found = await stat(file).catch(() => undefined);
    if (found?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-length": found.size });
    if (method === "HEAD") response.end();
    else await pipeline(createReadStream(file), response);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
