import { once } from "node:events";
import { createServer as createHttp1Server, request as httpRequest, type Server } from "node:http";
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
} from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MemoryCache } from "../../testing/memory-cache.js";
import { NIX_CLOSURE, type NixUpload } from "../../testing/nix-uploads.js";
import { type CacheRequest, type CacheResponse, textResponse } from "../exchange.js";
import { nodeHandler } from "./node-handler.js";
import { breakOff } from "./node-response.js";

type Handle = (request: CacheRequest) => Promise<CacheResponse | undefined>;

const [TEXT] = NIX_CLOSURE as [NixUpload];

const open: (Server | Http2Server)[] = [];
let failures: unknown[] = [];

afterEach(() => {
  failures = [];
  for (const server of open.splice(0)) {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
  }
});

async function listen(server: Server | Http2Server): Promise<number> {
  open.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function handlerOf(handle: Handle): ReturnType<typeof nodeHandler> {
  return nodeHandler({ handle }, { onError: (error) => failures.push(error) });
}

async function serve(handle: Handle): Promise<number> {
  return listen(createHttp1Server(handlerOf(handle)));
}

function deferred(): { readonly promise: Promise<string>; resolve(value: string): void } {
  let resolve = (_: string): void => {};
  const promise = new Promise<string>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value) => resolve(value) };
}

function bytes(length: number): Uint8Array {
  return new Uint8Array(length).fill(0x61);
}

const STREAMED: CacheResponse["headers"] = { "content-length": "1000000" };

describe("nodeHandler()", () => {
  it("adds to the headers that others chose the response by", async () => {
    const own = { vary: "accept-encoding" };
    const handle = handlerOf(async () => ({ status: 200, headers: own, body: bytes(1) }));
    const server = createHttp1Server((request, response) => {
      response.setHeader("vary", "Origin");
      handle(request, response);
    });
    const { headers } = await fetch(`http://127.0.0.1:${await listen(server)}/`);
    expect(headers.get("vary")).toBe("Origin, accept-encoding");
  });

  it("sends what the cache answers", async () => {
    const seen: string[] = [];
    const port = await serve(async ({ method, path, query, headers }) => {
      seen.push(`${method} ${path} ${query} ${String(headers["x-test"])}`);
      return { status: 203, headers: { "x-answer": "yes" }, body: bytes(3) };
    });
    const response = await fetch(`http://127.0.0.1:${port}/a%2Fb?c=d?e`, {
      headers: { "x-test": "1" },
    });
    expect([response.status, response.headers.get("x-answer"), await response.text()]).toEqual([
      203,
      "yes",
      "aaa",
    ]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(seen).toEqual(["GET /a%2Fb c=d?e 1"]);
  });

  it("takes a fragment, which clients should keep to themselves, for no part of the path", async () => {
    const seen: string[] = [];
    const port = await serve(async ({ path, query }) => {
      seen.push(`${path} ${query}`);
      return { status: 200, headers: {} };
    });
    for (const path of ["/a#b", "/a?c#b", "/a#b?c"]) {
      const request = httpRequest({ port, path }).end();
      const [response] = await once(request, "response");
      response.resume();
    }
    expect(seen).toEqual(["/a ", "/a c", "/a "]);
  });

  it("keeps a connection that it is asked to close until it has the rest of the request", async () => {
    const port = await serve(async () => textResponse(413, "too much"));
    const socket = connect(port, "127.0.0.1");
    const head = "PUT /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 9\r\n\r\n";
    socket.write(`${head}12345678`);
    let received = "";
    socket.setEncoding("latin1").on("data", (piece: string) => {
      received += piece;
    });
    await vi.waitUntil(() => received.endsWith("too much\n"));
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    expect(socket.readableEnded).toBe(false);
    socket.write("9");
    await once(socket, "end");
    expect(received).toMatch(/^HTTP\/1.1 413 .*too much\n$/s);
  });

  it("does not find what is not the cache's", async () => {
    const port = await serve(async () => undefined);
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: "PUT",
      body: "x".repeat(100_000),
    });
    expect([response.status, await response.text()]).toEqual([404, "not found\n"]);
  });

  it("takes an upload of Nix over HTTP/1.1: 100-continue at once, then 200", async () => {
    const cache = new MemoryCache();
    const port = await serve(async ({ method, path, headers, body }) => {
      const given = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, String(value)]),
      );
      return cache.ask(method, path, { body, headers: given });
    });
    const request = httpRequest({
      port,
      host: "127.0.0.1",
      method: "PUT",
      path: TEXT.narPath,
      headers: { expect: "100-continue", "content-length": TEXT.nar.byteLength },
    });
    request.flushHeaders();
    await once(request, "continue");
    request.end(TEXT.nar);
    const [response] = await once(request, "response");
    expect([response.statusCode, await text(response)]).toEqual([200, ""]);
    expect((await cache.ask("HEAD", TEXT.narPath)).status).toBe(200);
  });

  it("fails the body when the client goes away within it", async () => {
    const outcome = deferred();
    const port = await serve(async ({ body, signal }) => {
      try {
        for await (const _ of body) socket.destroy();
        outcome.resolve("whole");
      } catch (error) {
        outcome.resolve(`${(error as Error).message}, ${signal.aborted}`);
      }
      return { status: 200, headers: {} };
    });
    const socket = connect(port, "127.0.0.1");
    socket.write("PUT /x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf");
    expect(await outcome.promise).toMatch(/^The client has gone/);
    expect(failures).toEqual([]);
  });

  it("answers before the end of an upload, and the client sees it", async () => {
    const port = await serve(async () => ({ status: 413, headers: {}, body: bytes(9) }));
    const request = httpRequest({
      port,
      host: "127.0.0.1",
      method: "PUT",
      path: "/x",
      headers: { "content-length": 50_000_000 },
    });
    request.on("error", () => {});
    request.write(bytes(5_000_000));
    const [response] = await once(request, "response");
    expect([response.statusCode, await text(response)]).toEqual([413, "aaaaaaaaa"]);
    request.destroy();
  });

  it("ends the connection when a body fails within, instead of a short answer", async () => {
    const port = await serve(async () => ({
      status: 200,
      headers: STREAMED,
      body: (async function* () {
        yield bytes(100_000);
        throw new Error("a blob is gone");
      })(),
    }));
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await expect(response.arrayBuffer()).rejects.toThrow();
    expect(failures.map(String)).toEqual(["Error: a blob is gone"]);
  });

  it("does so where the length was not announced", async () => {
    const port = await serve(async () => ({
      status: 200,
      headers: {},
      body: (async function* () {
        yield bytes(100_000);
        throw new Error("a blob is gone");
      })(),
    }));
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  it("says no more than that of failures before the first byte", async () => {
    const port = await serve(async () => {
      throw new Error("secret of the disk");
    });
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect([response.status, await response.text()]).toEqual([500, "internal error\n"]);
    expect(failures.map(String)).toEqual(["Error: secret of the disk"]);
  });

  it("ends what goes on for a client that goes away, and sends no faster than it takes", async () => {
    const closed = deferred();
    let produced = 0;
    const port = await serve(async ({ signal }) => ({
      status: 200,
      headers: {},
      body: (async function* () {
        try {
          for (;;) {
            produced += 65_536;
            yield bytes(65_536);
          }
        } finally {
          closed.resolve(String(signal.aborted));
        }
      })(),
    }));
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(socket, "data");
    socket.pause();
    let before = -1;
    // Until nothing more comes: the buffers on the way are full.
    while (before !== produced) {
      before = produced;
      for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(produced).toBeLessThan(64 * 1024 * 1024);
    socket.destroy();
    expect(await closed.promise).toBe("true");
    expect(failures).toEqual([]);
  });

  it("says that pieces may be lent, and asks for the next when one is sent", async () => {
    const said: unknown[] = [];
    const lending = async ({ takesLentBytes }: CacheRequest): Promise<CacheResponse> => {
      said.push(takesLentBytes);
      return {
        status: 200,
        headers: {},
        body: (async function* () {
          // More than the system takes at once of what is not read.
          const lent = new Uint8Array(8 * 1024 * 1024);
          for (let i = 1; i <= 3; i++) {
            yield lent.fill(i);
            lent.fill(0xff);
          }
        })(),
      };
    };
    const http1 = await fetch(`http://127.0.0.1:${await serve(lending)}/`);
    const received = [new Uint8Array(await http1.arrayBuffer())];
    const session = connectHttp2(
      `http://127.0.0.1:${await listen(createHttp2Server(handlerOf(lending)))}`,
    );
    received.push(new Uint8Array(await buffer(session.request({ ":path": "/" }))));
    session.destroy();
    const expected = Buffer.concat([1, 2, 3].map((i) => new Uint8Array(8 * 1024 * 1024).fill(i)));
    for (const body of received) expect(Buffer.compare(body, expected)).toBe(0);
    expect(said).toEqual([true, true]);
  });

  it("serves HTTP/2, where a failing body resets its stream alone", async () => {
    const port = await listen(
      createHttp2Server(
        handlerOf(async ({ path }) => ({
          status: 200,
          headers: {},
          body: (async function* () {
            yield bytes(10);
            if (path === "/bad") throw new Error("a blob is gone");
          })(),
        })),
      ),
    );
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const good = await text(session.request({ ":path": "/good" }));
    await expect(text(session.request({ ":path": "/bad" }))).rejects.toThrow(/INTERNAL_ERROR/);
    expect([good, await text(session.request({ ":path": "/good" }))]).toEqual([
      "aaaaaaaaaa",
      "aaaaaaaaaa",
    ]);
    session.destroy();
  });
});

describe("breakOff()", () => {
  it("leaves no stream of HTTP/2 behind that still has something to send", async () => {
    const server = createHttp2Server();
    const port = await listen(server);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const received = text(session.request({ ":path": "/" }));
    const [, response] = await once(server, "request");
    response.write(bytes(10_000_000));
    breakOff(response);
    expect(response.stream.destroyed).toBe(true);
    await expect(received).rejects.toThrow(/INTERNAL_ERROR/);
    session.destroy();
  });
});
