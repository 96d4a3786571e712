import { once } from "node:events";
import { createServer as createHttp1 } from "node:http";
import {
  constants,
  createServer as createHttp2,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Stream,
} from "node:http2";
import {
  type AddressInfo,
  connect,
  createServer as createTcp,
  type Server,
  type Socket,
} from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Code, type Interceptor } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventLog } from "../../test/event-log.js";
import { clientsOf, collect, failure, Harness } from "../../test/harness.js";
import { digest, READ, STAT, testRoutes } from "../../test/services.js";
import { createRpcServer } from "../server/server.js";
import { openRpcChannel } from "./channel.js";
import type { RpcChannelOptions } from "./options.js";

let harness: Harness;
beforeEach(async () => {
  harness = await Harness.open();
});
afterEach(() => harness.close());

/** Makes `server` listen on a free port until the test ends. */
async function listen(server: Server | Http2Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  harness.onClose(() => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  return `grpc+http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clients(address: string, options?: RpcChannelOptions) {
  const channel = openRpcChannel(address, options);
  harness.onClose(() => channel.close());
  return clientsOf(channel.transport);
}

/** A server that answers each stream as it is told. */
async function scripted(
  answer: (stream: ServerHttp2Stream, index: number, session: Http2Session) => void,
): Promise<string> {
  const server = createHttp2();
  let index = 0;
  server.on("sessionError", () => {});
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.resume();
    if (stream.session !== undefined) {
      answer(stream, index++, stream.session);
    }
  });
  return listen(server);
}

const OK = { ":status": 200, "content-type": "application/grpc" };
const EMPTY_MESSAGE = Buffer.alloc(5);

function succeed(stream: ServerHttp2Stream): void {
  stream.respond(OK, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(EMPTY_MESSAGE);
}

describe("openRpcChannel(), connecting", () => {
  it("fails calls with Unavailable when nobody listens, each after an attempt of its own", async () => {
    const options = { minBackoffMs: 1, maxBackoffMs: 5 };
    const { path } = harness;
    const missing = `grpc+unix://${join(path, "..", "missing.sock")}`;
    const { blobs } = clients(missing, options);
    for (let index = 0; index < 4; index++) {
      const error = await failure(blobs.stat({}));
      expect(error).toMatchObject({ code: Code.Unavailable });
      expect(String(error)).toContain("missing.sock");
      expect(String(error)).toContain("ENOENT");
    }
  });

  it("connects again after the server was gone, with what was waiting meanwhile", async () => {
    const channel = openRpcChannel(harness.tcp, { minBackoffMs: 1, maxBackoffMs: 10 });
    harness.onClose(() => channel.close());
    const { blobs } = clientsOf(channel.transport);
    await blobs.stat({});
    await harness.server.close();
    expect(await failure(blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
    const again = createRpcServer({ routes: testRoutes(harness.log) });
    await again.listen({ host: "127.0.0.1", port: harness.port });
    harness.onClose(() => again.close());
    expect((await blobs.stat({})).chunks).toHaveLength(1);
  });

  it("ends waiting for a connection at the deadline, by signal, and with the attempt's own limit", async () => {
    // Accepts and never speaks TLS.
    const silent = await listen(createTcp());
    const address = silent.replace("grpc+http", "grpc+https");
    const { blobs } = clients(address);
    expect(await failure(blobs.stat({}, { timeoutMs: 30 }))).toMatchObject({
      code: Code.DeadlineExceeded,
    });
    expect(await failure(blobs.stat({}, { signal: AbortSignal.timeout(30) }))).toMatchObject({
      code: Code.Canceled,
    });
    const impatient = clients(address, { connectTimeoutMs: 30 });
    expect(await failure(impatient.blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
  });

  it("fails calls after close()", async () => {
    const channel = openRpcChannel(harness.tcp);
    const { blobs } = clientsOf(channel.transport);
    const hanging = failure(blobs.stat({ digest: digest(STAT.hang) }));
    await harness.log.seen("stat begins");
    await channel.close();
    expect(await hanging).toMatchObject({ code: Code.Unavailable });
    expect(await failure(blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
    await harness.log.seen("stat aborted");
  });
});

describe("openRpcChannel(), servers that go away", () => {
  it("makes a call again that the server has not begun with", async () => {
    const address = await scripted((stream, index) =>
      index < 2 ? stream.close(constants.NGHTTP2_REFUSED_STREAM) : succeed(stream),
    );
    const { blobs } = clients(address);
    expect((await blobs.stat({})).chunks).toEqual([]);
    const refusing = await scripted((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    const refused = clients(refusing);
    expect(await failure(refused.blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
    expect(await failure(collect(refused.blobs.read({})))).toMatchObject({
      code: Code.Unavailable,
    });
  });

  it("goes on with calls in flight after GOAWAY and makes new ones on a new connection", async () => {
    const log = new EventLog();
    let finish: () => void = () => {};
    let sessions = 0;
    const known = new Set<Http2Session>();
    const address = await scripted((stream, index, session) => {
      if (!known.has(session)) {
        known.add(session);
        sessions++;
      }
      if (index === 0) {
        session.close();
        finish = () => succeed(stream);
        log.add("goaway");
      } else {
        succeed(stream);
      }
    });
    const { blobs } = clients(address);
    const first = blobs.stat({});
    await log.seen("goaway");
    await blobs.stat({});
    await blobs.stat({});
    finish();
    expect((await first).chunks).toEqual([]);
    expect(sessions).toBe(2);
  });

  it("fails calls with Unavailable when the connection is lost within them", async () => {
    const address = await scripted((stream, _, session) => {
      stream.respond(OK);
      stream.write(EMPTY_MESSAGE, () => session.destroy());
    });
    const { blobs } = clients(address);
    expect(await failure(blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
    expect(await failure(collect(blobs.read({})))).toMatchObject({ code: Code.Unavailable });
  });

  it("gives a peer up that does not answer pings", async () => {
    const target = harness.port;
    const log = new EventLog();
    let stop: () => void = () => {};
    const proxy = createTcp((near) => {
      const far = connect(target, "127.0.0.1");
      far.on("error", () => {});
      near.on("error", () => {});
      near.pipe(far);
      far.pipe(near);
      near.on("close", () => far.destroy());
      stop = () => {
        near.unpipe(far);
        far.unpipe(near);
        near.resume();
        log.add("stopped");
      };
    });
    const address = await listen(proxy);
    const { blobs } = clients(address, { keepaliveIntervalMs: 40, keepaliveTimeoutMs: 40 });
    const hanging = failure(blobs.stat({ digest: digest(STAT.hang) }));
    await harness.log.seen("stat begins");
    stop();
    const error = await hanging;
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect(String(error)).toContain("does not answer pings");
  });
});

describe("openRpcChannel(), servers that answer something else", () => {
  it.each([
    [401, Code.Unauthenticated],
    [403, Code.PermissionDenied],
    [404, Code.Unimplemented],
    [503, Code.Unavailable],
    [500, Code.Unknown],
  ])("maps HTTP status %i", async (status, code) => {
    const address = await scripted((stream) => {
      stream.respond({ ":status": status });
      stream.end("no gRPC here");
    });
    expect(await failure(clients(address).blobs.stat({}))).toMatchObject({ code });
  });

  it.each<[string, (stream: ServerHttp2Stream) => void, Code]>([
    [
      "another content type",
      (s) => {
        s.respond({ ":status": 200, "content-type": "text/html" });
        s.end("<p>");
      },
      Code.Unknown,
    ],
    [
      "no status",
      (s) => {
        s.respond(OK);
        s.end(EMPTY_MESSAGE);
      },
      Code.Internal,
    ],
    [
      "nothing",
      (s) => {
        s.respond(OK, { endStream: true });
      },
      Code.Internal,
    ],
    [
      "two messages",
      (s) => {
        s.respond(OK, { waitForTrailers: true });
        s.on("wantTrailers", () => s.sendTrailers({ "grpc-status": "0" }));
        s.end(Buffer.alloc(10));
      },
      Code.Unimplemented,
    ],
    [
      "success without a message",
      (s) => {
        s.respond({ ...OK, "grpc-status": "0" }, { endStream: true });
      },
      Code.Unimplemented,
    ],
    [
      "a message that is too large",
      (s) => {
        s.respond(OK);
        s.write(Buffer.of(0, 0xff, 0, 0, 0));
      },
      Code.ResourceExhausted,
    ],
    [
      "a message that is none",
      (s) => {
        s.respond(OK);
        s.write(Buffer.of(0, 0, 0, 0, 1, 0xff));
      },
      Code.InvalidArgument,
    ],
    ["a reset", (s) => s.close(constants.NGHTTP2_ENHANCE_YOUR_CALM), Code.ResourceExhausted],
  ])("fails a call answered with %s", async (_, answer, code) => {
    const address = await scripted(answer);
    expect(await failure(clients(address).blobs.stat({}))).toMatchObject({ code });
  });

  it("fails calls to a server that speaks HTTP/1.1 only", async () => {
    const server = createHttp1((_, response) => response.end());
    const { blobs } = clients(await listen(server));
    expect(await failure(blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
  });

  it("takes compressed messages", async () => {
    const address = await scripted((stream) => {
      const body = gzipSync(Buffer.of(0x1a, 1, 0x41));
      const head = Buffer.of(1, 0, 0, 0, body.length);
      stream.respond({ ...OK, "grpc-encoding": "gzip" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat([head, body]));
    });
    expect(await clients(address).blobs.stat({})).toMatchObject({ bao: Uint8Array.of(0x41) });
  });
});

describe("openRpcChannel(), calls", () => {
  it("sends the token, asked for each time", async () => {
    const seen: (string | undefined)[] = [];
    await harness.close();
    harness = await Harness.open({
      authorize: ({ headers }) => void seen.push(headers.authorization),
    });
    let count = 0;
    const { blobs } = harness.clients({ token: () => `t${++count}` });
    await blobs.stat({});
    await blobs.stat({});
    await harness.clients({ token: "fixed" }).blobs.stat({});
    expect(seen).toEqual(["Bearer t1", "Bearer t2", "Bearer fixed"]);
  });

  it("runs interceptors, which may change headers and see messages and errors", async () => {
    const seen: string[] = [];
    const interceptor: Interceptor = (next) => async (request) => {
      request.header.set("x-text", "from interceptor");
      try {
        const response = await next(request);
        seen.push(`${request.method.name} ${response.header.get("x-text")}`);
        return response;
      } catch (error) {
        seen.push(`${request.method.name} failed`);
        throw error;
      }
    };
    const { blobs } = harness.clients({ interceptors: [interceptor] });
    await blobs.stat({ digest: digest(STAT.metadata) });
    await failure(blobs.stat({ digest: digest(STAT.crash) }));
    expect(await collect(blobs.read({ digest: digest(READ.three) }))).toHaveLength(3);
    const put = await blobs.put(
      (async function* () {
        yield { data: new Uint8Array(7) };
      })(),
    );
    expect(Buffer.from(put.digest).toString()).toBe("7");
    expect(seen).toEqual(["Stat from interceptor", "Stat failed", "Read null", "Put null"]);
  });

  it("uses the default deadline, unless a call sets its own or none", async () => {
    const { blobs } = harness.clients({ defaultTimeoutMs: 40 });
    const hang = { digest: digest(STAT.hang) };
    expect(await failure(blobs.stat(hang))).toMatchObject({ code: Code.DeadlineExceeded });
    const controller = new AbortController();
    const patient = failure(blobs.stat(hang, { timeoutMs: 0, signal: controller.signal }));
    expect(await failure(blobs.stat(hang))).toMatchObject({ code: Code.DeadlineExceeded });
    controller.abort(new Error("enough"));
    expect(await patient).toMatchObject({
      code: Code.Canceled,
      cause: expect.objectContaining({ message: "enough" }),
    });
  });

  it("makes no call with a signal that has fired", async () => {
    const { blobs } = harness.clients();
    await blobs.stat({});
    const signal = AbortSignal.abort();
    expect(await failure(blobs.stat({ digest: digest(STAT.hang) }, { signal }))).toMatchObject({
      code: Code.Canceled,
    });
  });

  it("passes on what the source of an upload throws, and stops the handler", async () => {
    const { blobs } = harness.clients();
    const broken = blobs.put(
      (async function* () {
        yield { data: new Uint8Array(1) };
        await harness.log.seen("put message");
        throw new Error("source broke");
      })(),
    );
    const error = await failure(broken);
    expect(error).toMatchObject({ cause: expect.objectContaining({ message: "source broke" }) });
    await harness.log.seen("put finally");
    expect(harness.log.events.some((event) => event.startsWith("put fails"))).toBe(true);
  });

  it("makes 500 calls at once", async () => {
    const { blobs } = harness.clients();
    const calls = Array.from({ length: 500 }, () => blobs.stat({ digest: digest(STAT.echo) }));
    expect(await Promise.all(calls)).toHaveLength(500);
    expect(harness.server.connectionCount).toBe(1);
  });

  it("carries random messages both ways, many at once", async () => {
    // A generator with a fixed seed. Source: "Numerical Recipes".
    let state = 20_241_121;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state % below;
    };
    const { blobs } = harness.clients();
    const uploads = Array.from({ length: 40 }, async () => {
      const sizes = Array.from(
        { length: random(6) },
        () => random(2) * random(1_500_000) + random(9),
      );
      const put = await blobs.put(
        (async function* () {
          for (const size of sizes) {
            yield { data: new Uint8Array(size) };
          }
        })(),
      );
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(Buffer.from(put.digest).toString()).toBe(String(total));
    });
    await Promise.all(uploads);
  });
});
