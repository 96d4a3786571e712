import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Harness } from "../../test/harness.js";
import type { RequestEnd, RequestHead } from "./hooks.js";
import type { RpcServerOptions } from "./rpc-server.js";
import { serveSimpleRequests } from "./simple-requests.js";

const SIMPLE = "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n";

let harness: Harness | undefined;
let socket: Socket;
/** What the general way has served. */
let general: string[] = [];

beforeEach(() => {
  general = [];
});

afterEach(async () => {
  socket?.destroy();
  await harness?.close();
  harness = undefined;
});

async function open(options: Partial<RpcServerOptions> = {}): Promise<void> {
  harness = await Harness.open({
    answerAtOnce: ({ path }) =>
      path === "/fast"
        ? { status: 200, headers: "x-way: fast\r\ncontent-length: 2\r\n", body: "\u00e4!" }
        : undefined,
    fallback: (request, response) => {
      general.push(`${request.method} ${request.url}`);
      request.resume();
      response.setHeader("content-length", 7);
      response.end("general");
    },
    ...options,
  });
  socket = connect(harness.port, "127.0.0.1");
  await once(socket, "connect");
}

/** Sends text, and waits for what comes until `end` stands at its end. */
async function exchange(text: string, end: string): Promise<string> {
  const received = receive(end);
  socket.write(text, "latin1");
  return await received;
}

function receive(end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const onData = (bytes: Buffer): void => {
      text += bytes.toString("latin1");
      if (!text.endsWith(end)) return;
      socket.off("data", onData);
      socket.off("close", onClose);
      resolve(text);
    };
    const onClose = (): void => reject(new Error(`The connection ended after ${text}`));
    socket.on("data", onData);
    socket.once("close", onClose);
  });
}

describe("serveSimpleRequests()", () => {
  it("answers again and again, as the general way would", async () => {
    await open();
    for (let i = 0; i < 3; i++) {
      const answer = await exchange(SIMPLE, "\u00e4!");
      expect(answer).toMatch(
        /^HTTP\/1\.1 200 OK\r\nx-way: fast\r\ncontent-length: 2\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=\d+\r\n\r\n\u00e4!$/,
      );
    }
    expect(general).toEqual([]);
  });

  it("says that answers depend on the origin, where pages of others may call", async () => {
    await open({ cors: { origins: ["https://a.example"] } });
    expect(await exchange(SIMPLE, "\u00e4!")).toContain("\r\nvary: Origin\r\n");
    expect(await exchange("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", "general")).toContain(
      "\r\nvary: Origin\r\n",
    );
  });

  it.each([
    ["another path", "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a query", "GET /fast?a=b HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["another method", "PUT /fast HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a body", "GET /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"],
    ["a body that comes later", "GET /fast HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"],
    [
      "a chunked body",
      "GET /fast HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a range", "GET /fast HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n"],
    ["a condition", 'GET /fast HTTP/1.1\r\nHost: a\r\nIf-None-Match: "x"\r\n\r\n'],
    ["an origin", "GET /fast HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n"],
    ["a long head", `GET /fast HTTP/1.1\r\nHost: a\r\nAccept: ${"x".repeat(5000)}\r\n\r\n`],
  ])("leaves %s to the general way", async (_, request) => {
    await open();
    await exchange(request, "general");
    expect(general.length).toBeGreaterThan(0);
  });

  it.each([
    ["no host", "GET /fast HTTP/1.1\r\nAccept: */*\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["no headers", "GET /fast HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["bare line feeds", "GET /fast HTTP/1.1\nHost: a\n\n", /^HTTP\/1\.1 \d/],
    ["a name with a space", "GET /fast HTTP/1.1\r\nHost : a\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["a folded header", "GET /fast HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", /^HTTP\/1\.1 \d/],
    ["HTTP/1.0", "GET /fast HTTP/1.0\r\nHost: a\r\n\r\n", /^HTTP\/1\.1 200 /],
    [
      "the end of the connection",
      "GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      /Connection: close/,
    ],
    ["two hosts", "GET /fast HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", /^HTTP\/1\.1 \d/],
  ])("does not look away from %s", async (_, request, answer) => {
    await open();
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
    });
    socket.end(request, "latin1");
    await once(socket, "close");
    expect(text).toMatch(answer);
    expect(text).not.toContain("x-way");
  });

  it("leaves requests that come together to the general way, which answers in their order", async () => {
    await open();
    const two = `${SIMPLE}GET /second HTTP/1.1\r\nHost: a\r\n\r\n`;
    const third = "GET /third HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    socket.resume().write(two + third, "latin1");
    await once(socket, "close");
    expect(general).toEqual(["GET /fast", "GET /second", "GET /third"]);
  });

  it("leaves a request that comes in parts to the general way, all of it", async () => {
    const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const taken: string[] = [];
    const left = new Promise<void>((resolve) => {
      serveSimpleRequests(duplex as Socket, {
        answer: () => ({ status: 200, headers: "", body: "" }),
        leave: () =>
          duplex.on("data", (bytes: Buffer) => taken.push(bytes.toString())) && resolve(),
        idleTimeoutMs: 1000,
      });
    });
    duplex.push(SIMPLE.slice(0, 10));
    await left;
    duplex.push(SIMPLE.slice(10));
    duplex.push(null);
    await once(duplex, "end");
    expect(taken.join("")).toBe(SIMPLE);
  });

  it("stays with the general way once a request was not simple", async () => {
    await open();
    expect(await exchange(SIMPLE, "\u00e4!")).toContain("x-way");
    await exchange("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", "general");
    await exchange(SIMPLE, "general");
    expect(general).toEqual(["GET /slow", "GET /fast"]);
  });

  it("answers nothing that is not allowed", async () => {
    const authorize = ({ headers }: RequestHead): void => {
      if (headers.authorization === "Bearer x") return;
      throw new ConnectError("no", Code.Unauthenticated);
    };
    await open({ authorize });
    const refused = await exchange(SIMPLE, "no\n");
    expect(refused).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
    await harness?.close();
    await open({ authorize });
    const allowed = "GET /fast HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n";
    expect(await exchange(allowed, "\u00e4!")).toContain("x-way");
    expect(await exchange(SIMPLE, "no\n")).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("lets others decide who take their time about it", async () => {
    await open({ authorize: async () => {} });
    await exchange(SIMPLE, "general");
  });

  it("tells of every request once", async () => {
    const seen: (RequestHead | RequestEnd)[] = [];
    const onRequest = (head: RequestHead) => {
      seen.push(head);
      return (end: RequestEnd) => seen.push(end);
    };
    await open({ observer: { onRequest } });
    await exchange(SIMPLE, "\u00e4!");
    expect(seen).toMatchObject([
      { surface: "http", method: "GET", path: "/fast", peer: { transport: "tcp" } },
      { code: undefined, httpStatus: 200 },
    ]);
  });

  it("ends a connection that is not used, and one of a server that drains", async () => {
    await open({ limits: { idleTimeoutMs: 40 } });
    await exchange(SIMPLE, "\u00e4!");
    await once(socket, "close");
    await harness?.close();
    await open();
    await exchange(SIMPLE, "\u00e4!");
    const closed = once(socket, "close");
    await harness?.server.drain(60_000);
    await closed;
  });
});
