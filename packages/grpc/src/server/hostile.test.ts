import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it } from "vitest";
import { EventLog } from "../../test/event-log.js";
import { failure, Harness } from "../../test/harness.js";
import { frame, OPENING, PREFACE, rawCall, requestHead, SETTINGS } from "../../test/raw-http2.js";
import { digest, STAT } from "../../test/services.js";
import type { RpcServerLimits } from "./limits.js";

const PUT = "/tvix.castore.v1.BlobService/Put";
const READ_PATH = "/tvix.castore.v1.BlobService/Read";

let harness: Harness;
/** What the observer hears: ends of connections and codes of calls. */
let seen: EventLog;

async function open(limits: Partial<RpcServerLimits> = {}): Promise<void> {
  const log = new EventLog();
  seen = log;
  harness = await Harness.open({
    limits,
    observer: {
      onConnection: () => {
        log.add("open");
        return (reason) => log.add(`end: ${reason}`);
      },
      onRefusedConnection: () => log.add("refused"),
      onRequest: () => (end) => log.add(`code ${end.code}`),
    },
    fallback: (request, response) => {
      request.resume();
      request.on("end", () => response.end("ok"));
    },
  });
}

afterEach(() => harness.close());

/** A bare connection; closed with the harness. */
async function socket(): Promise<Socket> {
  const opened = connect(harness.port, "127.0.0.1");
  opened.on("error", () => {});
  harness.onClose(() => opened.destroy());
  await once(opened, "connect");
  return opened;
}

/** Resolves with what the server sends until it closes the connection. */
async function untilClosed(from: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  from.on("data", (chunk: Buffer) => parts.push(chunk));
  await once(from, "close");
  return Buffer.concat(parts);
}

/** The server still serves others. */
async function expectServing(): Promise<void> {
  const { blobs } = harness.clients();
  expect((await blobs.stat({ digest: digest(STAT.echo) })).chunks).toHaveLength(1);
}

function session(): ClientHttp2Session {
  const opened = connectHttp2(harness.url);
  opened.on("error", () => {});
  harness.onClose(() => opened.destroy());
  return opened;
}

function call(on: ClientHttp2Session, path: string) {
  const stream = on.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  return stream;
}

describe("createRpcServer(), connections that do not speak properly", () => {
  it.each([
    ["random bytes", Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 9, 10])],
    ["a wrong preface", Buffer.from(`${PREFACE.slice(0, 20)}XX\r\n\r\n`)],
    ["text", Buffer.from("hello there\r\n\r\n")],
    ["a head without end", Buffer.from(`GET / HTTP/1.1\r\nx: ${"y".repeat(40_000)}`)],
  ])("closes %s with 400 or less", async (_, bytes) => {
    await open();
    const raw = await socket();
    raw.write(bytes);
    const answer = await untilClosed(raw);
    expect(String(answer.subarray(0, 12))).toMatch(/^$|^HTTP\/1\.1 4/);
    await seen.seen("end: closed");
    await expectServing();
  });

  it.each([
    ["garbage frames", Buffer.alloc(100, 0xff)],
    ["DATA on a stream that is not there", frame(0, 1, 1, Buffer.of(1))],
    ["a header block that is none", frame(1, 5, 1, Buffer.alloc(20, 0xff))],
  ])("ends an HTTP/2 connection with %s, also when the peer keeps it open", async (_, bytes) => {
    await open({ idleTimeoutMs: 100 });
    const raw = await socket();
    raw.write(Buffer.concat([OPENING, bytes]));
    await untilClosed(raw);
    await expectServing();
  });

  it.each([
    ["nothing", ""],
    ["half a preface", PREFACE.slice(0, 10)],
    ["half a head", "GET / HTTP/1.1\r\nhost:"],
  ])("closes a connection that sends %s and then waits", async (_, text) => {
    await open({ headerTimeoutMs: 80 });
    const raw = await socket();
    raw.write(text);
    await untilClosed(raw);
    await expectServing();
  });

  it("closes connections without calls after the idle timeout, with GOAWAY", async () => {
    await open({ idleTimeoutMs: 80 });
    const idle = session();
    const goaway = once(idle, "goaway");
    await goaway;
    await seen.seen("end: idle");
    await expectServing();
  });
});

describe("createRpcServer(), many connections", () => {
  it("keeps 1,000 idle connections and serves others meanwhile", async () => {
    await open();
    const sockets: Socket[] = [];
    for (let index = 0; index < 1000; index++) {
      sockets.push(await socket());
    }
    for (const one of sockets.slice(0, 500)) {
      one.write(OPENING);
    }
    await seen.seen("open", 1000);
    expect(harness.server.connectionCount).toBe(1000);
    await expectServing();
    for (const one of sockets) {
      one.destroy();
    }
    await seen.seen("end: closed", 1000);
  }, 120_000);

  it("refuses connections over the limit, and takes new ones when others are gone", async () => {
    await open({ maxConnections: 3 });
    const sockets = [await socket(), await socket(), await socket()];
    await seen.seen("open", 3);
    await untilClosed(await socket());
    await seen.seen("refused");
    sockets[0]?.destroy();
    await seen.seen("end: closed");
    await expectServing();
  });
});

describe("createRpcServer(), many streams", () => {
  it("ends a connection that opens and resets streams without end", async () => {
    await open({ resetBurst: 50, resetsPerSecond: 1 });
    const raw = await socket();
    raw.resume();
    const head = requestHead(PUT);
    raw.write(OPENING);
    // Some resets come with their stream, others later.
    for (let index = 0; index < 100; index++) {
      const id = 1 + 2 * index;
      const open = frame(1, 4, id, head);
      const reset = frame(3, 0, id, Buffer.of(0, 0, 0, 8));
      raw.write(index % 2 === 0 ? Buffer.concat([open, reset]) : open);
      if (index % 2 === 1) {
        setImmediate(() => raw.write(reset));
      }
    }
    await untilClosed(raw);
    await seen.seen("end: flood");
    await expectServing();
  });

  it.each([
    ["PING", frame(6, 0, 0, Buffer.alloc(8))],
    ["SETTINGS", SETTINGS],
  ])("ends a connection that floods with %s", async (_, bytes) => {
    await open({ controlBurst: 100, controlPerSecond: 1 });
    const raw = await socket();
    raw.resume();
    raw.write(Buffer.concat([OPENING, ...Array(300).fill(bytes)]));
    await untilClosed(raw);
    await expectServing();
  });

  it("refuses streams over the limit of a connection, and serves them in turn", async () => {
    await open({ maxStreamsPerConnection: 4 });
    const { blobs } = harness.clients();
    const calls = Array.from({ length: 50 }, () => blobs.stat({ digest: digest(STAT.echo) }));
    expect(await Promise.all(calls)).toHaveLength(50);
  });

  it("answers calls over the limit of the server with ResourceExhausted", async () => {
    await open({ maxCalls: 2 });
    const { blobs } = harness.clients();
    const hanging = new AbortController();
    const hang = () => blobs.stat({ digest: digest(STAT.hang) }, { signal: hanging.signal });
    const held = [failure(hang()), failure(hang())];
    await harness.log.seen("stat begins", 2);
    expect(await failure(blobs.stat({}))).toMatchObject({ code: Code.ResourceExhausted });
    hanging.abort();
    await Promise.all(held);
    await harness.log.seen("stat aborted", 2);
    await expectServing();
  });
});

describe("createRpcServer(), peers that stop", () => {
  it("cuts an upload whose client sends nothing", async () => {
    await open({ stallTimeoutMs: 100 });
    const stream = call(session(), PUT);
    stream.write(Buffer.of(0, 0, 0, 0, 9));
    const [headers] = await once(stream, "response");
    expect(headers["grpc-status"]).toBe(String(Code.DeadlineExceeded));
    await harness.log.seen("put finally");
  });

  it("cuts an upload whose client sends a message byte by byte", async () => {
    await open({ stallTimeoutMs: 200 });
    const stream = call(session(), PUT);
    stream.write(Buffer.of(0, 0, 0, 1, 0));
    const drip = setInterval(() => stream.write(Buffer.of(1)), 10);
    const [headers] = await once(stream, "response");
    clearInterval(drip);
    expect(headers["grpc-status"]).toBe(String(Code.DeadlineExceeded));
    stream.end();
  });

  it("cuts a download whose client does not read, and frees what the handler holds", async () => {
    await open({ stallTimeoutMs: 100 });
    const stream = call(session(), READ_PATH);
    stream.end(Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 1]));
    await once(stream, "response");
    // Nothing is read: the window stays full.
    await harness.log.seen("read finally");
    await seen.seen(`code ${Code.DeadlineExceeded}`);
  });

  it("leaves streams alone where both sides may be silent", async () => {
    await open({ stallTimeoutMs: 50 });
    const { chat, blobs } = harness.clients();
    let say: (host: string) => void = () => {};
    const answers = chat
      .serverReflectionInfo(
        (async function* () {
          yield { host: "a" };
          yield {
            host: await new Promise<string>((resolve) => {
              say = resolve;
            }),
          };
        })(),
      )
      [Symbol.asyncIterator]();
    await answers.next();
    // A call that stalls shows that the time has passed, several times over.
    for (let index = 0; index < 3; index++) {
      const stalled = blobs.put(
        (async function* () {
          yield* [];
          await harness.log.seen("put finally", index + 1);
        })(),
      );
      expect(await failure(stalled)).toMatchObject({ code: Code.DeadlineExceeded });
    }
    say("b");
    expect((await answers.next()).value?.validHost).toBe("B");
  });

  it("ends a connection whose peer does not answer pings while it has a call", async () => {
    await open({ keepaliveIntervalMs: 60, keepaliveTimeoutMs: 60 });
    const stream = call(session(), READ_PATH);
    // Read that stays silent after its first message.
    stream.end(Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 3]));
    await once(stream, "response");
    stream.resume();
    // Node answers pings by itself, so this one lives.
    const raw = await socket();
    raw.resume();
    raw.write(Buffer.concat([OPENING, rawCall(1, READ_PATH, Buffer.of(0x0a, 1, 3))]));
    await untilClosed(raw);
    await seen.seen("end: dead-peer");
    await harness.log.seen("read finally");
    expect(stream.closed).toBe(false);
  });

  it("cuts an HTTP/1.1 request whose body stops", async () => {
    await open({ stallTimeoutMs: 80 });
    const raw = await socket();
    raw.write("PUT /x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n123");
    await untilClosed(raw);
    await expectServing();
  });
});

describe("createRpcServer(), memory", () => {
  it("is bounded under 200 uploads at once that the handlers do not read", async () => {
    await open();
    const body = Buffer.alloc(5 + 1_000_000);
    body.writeUInt32BE(1_000_000, 1);
    const before = process.memoryUsage().arrayBuffers;
    const one = session();
    await once(one, "connect");
    for (let index = 0; index < 200; index++) {
      const stream = one.request({
        ":method": "POST",
        ":path": PUT,
        "content-type": "application/grpc",
        "x-mode": "hold",
      });
      stream.on("error", () => {});
      // The same bytes each time: what the client holds does not grow.
      for (let message = 0; message < 8; message++) {
        stream.write(body);
      }
    }
    await harness.log.seen("put holds", 200);
    await expectServing();
    // 1.6 GB are on offer. What is taken in is bounded by the window of the connection.
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(grown).toBeLessThan(100 << 20);
    one.destroy();
    await harness.log.seen("put finally", 200);
  });
});
