import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Metadata, status as Status } from "@grpc/grpc-js";
import { BlobChunkSchema, BlobService, DirectoryService } from "@tvix/protos/castore";
import { ServerReflection } from "@tvix/protos/grpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { grpcJsClient, grpcJsMethod } from "../../test/grpc-js.js";
import { clientsOf, collect, failure, Harness } from "../../test/harness.js";
import { CHUNK_SIZE, digest, READ, STAT } from "../../test/services.js";
import { FRAME_HEADER_LEN } from "../wire/frame.js";

let harness: Harness;
beforeEach(async () => {
  harness = await Harness.open();
});
afterEach(() => harness.close());

async function* chunks(...sizes: number[]) {
  for (const size of sizes) {
    yield { data: new Uint8Array(size) };
  }
}

const TRANSPORTS: [string, () => Transport, { bidi: boolean }][] = [
  ["own, TCP", () => harness.channel().transport, { bidi: true }],
  [
    "own, unix socket",
    () => harness.channel({}, { transport: "unix", path: harness.path }).transport,
    { bidi: true },
  ],
  ["connect-node gRPC", () => createGrpcTransport({ baseUrl: harness.url }), { bidi: true }],
  [
    "connect-node gRPC, unix socket",
    () =>
      createGrpcTransport({
        baseUrl: "http://localhost",
        nodeOptions: { createConnection: () => connectTcp(harness.path) },
      }),
    { bidi: true },
  ],
  [
    "Connect, HTTP/1.1",
    () => createConnectTransport({ baseUrl: harness.url, httpVersion: "1.1" }),
    { bidi: false },
  ],
  [
    "Connect, HTTP/2",
    () => createConnectTransport({ baseUrl: harness.url, httpVersion: "2" }),
    { bidi: true },
  ],
  [
    "Connect JSON, HTTP/1.1",
    () =>
      createConnectTransport({
        baseUrl: harness.url,
        httpVersion: "1.1",
        useBinaryFormat: false,
      }),
    { bidi: false },
  ],
  [
    "gRPC-Web, HTTP/1.1",
    () => createGrpcWebTransport({ baseUrl: harness.url, httpVersion: "1.1" }),
    { bidi: false },
  ],
  [
    "gRPC-Web, HTTP/2",
    () => createGrpcWebTransport({ baseUrl: harness.url, httpVersion: "2" }),
    { bidi: true },
  ],
];

describe.each(TRANSPORTS)("createRpcServer(), client: %s", (_, transport, { bidi }) => {
  it("serves all kinds of calls", async () => {
    const { blobs, chat } = clientsOf(transport());
    const stat = await blobs.stat({ digest: digest(STAT.echo) });
    expect(stat.chunks.map((chunk) => Number(chunk.size))).toEqual([5]);
    const read = await collect(blobs.read({ digest: digest(READ.three) }));
    expect(read.map((chunk) => chunk.data.byteLength)).toEqual([
      CHUNK_SIZE,
      CHUNK_SIZE,
      CHUNK_SIZE,
    ]);
    expect(await collect(blobs.read({ digest: digest(READ.none) }))).toEqual([]);
    const put = await blobs.put(chunks(1, 2_000_000, 0, 70_000));
    expect(Buffer.from(put.digest).toString()).toBe("2070001");
    const empty = await blobs.put(chunks());
    expect(Buffer.from(empty.digest).toString()).toBe("0");
    if (bidi) {
      const answers = await collect(
        chat.serverReflectionInfo(
          (async function* () {
            yield { host: "a" };
            yield { host: "b" };
          })(),
        ),
      );
      expect(answers.map((answer) => answer.validHost)).toEqual(["A", "B"]);
    }
  });

  it("sends errors with message, metadata and details", async () => {
    const { blobs, directories } = clientsOf(transport());
    const error = await failure(blobs.stat({ digest: digest(STAT.notFound) }));
    expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "blöb 100% gone\n" });
    expect(ConnectError.from(error).metadata.get("x-why")).toBe("test");
    expect(ConnectError.from(error).details).toHaveLength(1);
    expect(await failure(collect(directories.get({})))).toMatchObject({ code: Code.NotFound });
  });

  it("keeps what a handler throws to itself unless it is a status", async () => {
    const error = await failure(clientsOf(transport()).blobs.stat({ digest: digest(STAT.crash) }));
    expect(error).toMatchObject({ code: Code.Internal });
    expect(String(error)).not.toContain("secret");
  });

  it("passes metadata both ways", async () => {
    const { blobs } = clientsOf(transport());
    const headers = { "x-text": "a b", "x-data-bin": "AQID" };
    let header = new Headers();
    let trailer = new Headers();
    await blobs.stat(
      { digest: digest(STAT.metadata) },
      {
        headers,
        onHeader: (got) => {
          header = got;
        },
        onTrailer: (got) => {
          trailer = got;
        },
      },
    );
    for (const got of [header, trailer]) {
      expect([got.get("x-text"), got.get("x-data-bin")]).toEqual(["a b", "AQID"]);
    }
  });

  it("delivers the messages before an error within a stream", async () => {
    const { blobs } = clientsOf(transport());
    let count = 0;
    const reading = (async () => {
      for await (const chunk of blobs.read({ digest: digest(READ.failAfterTwo) })) {
        count += chunk.data.byteLength;
      }
    })();
    expect(await failure(reading)).toMatchObject({ code: Code.DataLoss });
    expect(count).toBe(2 * CHUNK_SIZE);
    await harness.log.seen("read finally");
  });

  it("refuses messages over the limits, in both directions", async () => {
    const { blobs } = clientsOf(transport());
    const tooLarge = { code: Code.ResourceExhausted };
    expect(await failure(blobs.stat({ digest: new Uint8Array((4 << 20) + 1) }))).toMatchObject(
      tooLarge,
    );
    expect(await failure(blobs.stat({ digest: digest(STAT.tooLarge) }))).toMatchObject(tooLarge);
  });

  it("ends at the deadline", async () => {
    const { blobs } = clientsOf(transport());
    const call = blobs.stat({ digest: digest(STAT.hang) }, { timeoutMs: 100 });
    expect(await failure(call)).toMatchObject({ code: Code.DeadlineExceeded });
    await harness.log.seen("stat aborted");
  });

  it("stops the handler when the client cancels", async () => {
    const { blobs } = clientsOf(transport());
    const controller = new AbortController();
    const call = blobs.stat({ digest: digest(STAT.hang) }, { signal: controller.signal });
    void harness.log.seen("stat begins").then(() => controller.abort());
    expect(await failure(call)).toMatchObject({ code: Code.Canceled });
    await harness.log.seen("stat aborted");
  });

  it("runs finally of a stream whose client does not read and then leaves", async () => {
    const { blobs } = clientsOf(transport());
    const controller = new AbortController();
    const reading = blobs
      .read({ digest: digest(READ.endless) }, { signal: controller.signal })
      [Symbol.asyncIterator]();
    await reading.next();
    await harness.log.seen("read yields", 2);
    controller.abort();
    await failure(reading.next().then(() => reading.next()));
    await harness.log.seen("read finally");
  });
});

describe("createRpcServer(), half an upload", () => {
  it("is not taken for a whole one when our client cancels", async () => {
    const { blobs } = harness.clients();
    const controller = new AbortController();
    const upload = blobs.put(
      (async function* () {
        yield { data: new Uint8Array(1) };
        await new Promise((resolve) => controller.signal.addEventListener("abort", resolve));
      })(),
      { signal: controller.signal },
    );
    void harness.log.seen("put message").then(() => controller.abort());
    expect(await failure(upload)).toMatchObject({ code: Code.Canceled });
    await harness.log.seen("put finally");
    expect(harness.log.events.filter((event) => event.startsWith("put fails"))).toHaveLength(1);
  });

  const path = "/tvix.castore.v1.BlobService/Put";
  const message = frame(toBinary(BlobChunkSchema, create(BlobChunkSchema, { data: digest(1) })));

  it.each(["application/grpc", "application/connect+proto", "application/grpc-web"])(
    "is not taken for a whole one when an HTTP/2 connection with %s is lost",
    async (type) => {
      const session = connectHttp2(harness.url);
      session.on("error", () => {});
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": type });
      stream.on("error", () => {});
      stream.write(message);
      await harness.log.seen("put message");
      session.destroy();
      await harness.log.seen("put finally");
      expect(harness.log.events).toContain(`put fails ${Code.Canceled}`);
    },
  );

  it.each(["application/connect+proto", "application/grpc-web"])(
    "is not taken for a whole one when an HTTP/1.1 connection with %s is lost",
    async (type) => {
      const socket = connectTcp(harness.port, "127.0.0.1");
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`,
      );
      socket.write(`${message.length.toString(16)}\r\n`);
      socket.write(message);
      await harness.log.seen("put message");
      socket.destroy();
      await harness.log.seen("put finally");
      expect(harness.log.events.filter((event) => event.startsWith("put fails"))).toHaveLength(1);
    },
  );
});

describe("createRpcServer(), gRPC framing", () => {
  it("sends headers before the status of a stream that fails at once", async () => {
    const client = grpcJsClient(`127.0.0.1:${harness.port}`);
    harness.onClose(() => client.close());
    const method = grpcJsMethod(DirectoryService.method.get);
    const call = client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      {},
    );
    const events: string[] = [];
    call.on("metadata", () => events.push("headers"));
    call.on("data", () => events.push("message"));
    await new Promise<void>((resolve) => {
      call.on("error", (error) => {
        events.push(`status ${"code" in error ? error.code : ""}`);
        resolve();
      });
    });
    expect(events).toEqual(["headers", `status ${Status.NOT_FOUND}`]);
    const { frames } = await rawCall(DirectoryService.method.get, [frame(new Uint8Array(0))]);
    expect(frames).toEqual(["headers", "trailers 5"]);
  });

  it("sends the status of a call with one response alone", async () => {
    const message = Buffer.concat([Buffer.of(0x0a, 32), digest(STAT.notFound)]);
    const { frames } = await rawCall(BlobService.method.stat, [frame(message)]);
    expect(frames).toEqual(["headers 5"]);
  });

  it.each([
    ["unknown method", { ":path": "/tvix.castore.v1.BlobService/Nothing" }, Code.Unimplemented],
    ["unknown service", { ":path": "/nothing/Stat" }, Code.Unimplemented],
    ["unknown encoding", { "grpc-encoding": "snappy" }, Code.Unimplemented],
    ["bad timeout", { "grpc-timeout": "soon" }, Code.InvalidArgument],
    ["deadline in the past", { "grpc-timeout": "0n" }, Code.DeadlineExceeded],
  ])("answers %s with a status", async (_, headers, code) => {
    const body = [frame(Buffer.concat([Buffer.of(0x0a, 32), digest(STAT.hang)]))];
    const { frames } = await rawCall(BlobService.method.stat, body, headers);
    expect(frames).toEqual([`headers ${code}`]);
  });

  it.each([
    ["no message", [], Code.Unimplemented],
    ["half a message", [Buffer.of(0, 0, 0, 0, 9, 1)], Code.InvalidArgument],
    ["half a header", [Buffer.of(0, 0)], Code.InvalidArgument],
    ["a message that is not one", [frame(Buffer.of(0xff))], Code.InvalidArgument],
    ["a compressed message without an encoding", [frame(Buffer.of(1), 1)], Code.Internal],
    ["unknown flags", [frame(Buffer.of(1), 8)], Code.Internal],
    ["4 GiB to come", [Buffer.of(0, 0xff, 0xff, 0xff, 0xff)], Code.ResourceExhausted],
  ])("answers a request of %s with a status", async (_, body, code) => {
    const { frames } = await rawCall(BlobService.method.stat, body);
    expect(frames).toEqual([`headers ${code}`]);
  });

  it("takes compressed messages and bounds what comes out", async () => {
    const zeros = toBinary(BlobChunkSchema, create(BlobChunkSchema, { data: new Uint8Array(3e6) }));
    const bomb = toBinary(BlobChunkSchema, create(BlobChunkSchema, { data: new Uint8Array(5e6) }));
    const gzip = { "grpc-encoding": "gzip" };
    const put = BlobService.method.put;
    const good = await rawCall(put, [frame(gzipSync(zeros), 1), frame(zeros)], gzip);
    expect(good.frames).toEqual(["headers", "trailers 0"]);
    expect(good.body.subarray(FRAME_HEADER_LEN + 2).toString()).toBe("6000000");
    const bad = await rawCall(put, [frame(gzipSync(bomb), 1)], gzip);
    expect(bad.frames).toEqual([`headers ${Code.ResourceExhausted}`]);
    const torn = await rawCall(put, [frame(Buffer.from("no gzip"), 1)], gzip);
    expect(torn.frames).toEqual([`headers ${Code.InvalidArgument}`]);
  });

  it("answers an upload that the handler ends early, and stops the client", async () => {
    const { blobs } = harness.clients();
    let sent = 0;
    const endless = (async function* () {
      try {
        for (;;) {
          sent++;
          yield { data: new Uint8Array(100_000) };
        }
      } finally {
        harness.log.add("source closed");
      }
    })();
    const put = await blobs.put(endless, { headers: { "x-mode": "early" } });
    expect(Buffer.from(put.digest).toString()).toBe("100000");
    await harness.log.seen("source closed");
    expect(sent).toBeLessThan(100);
    const failing = blobs.put(
      (async function* () {
        for (;;) {
          yield { data: new Uint8Array(100_000) };
        }
      })(),
      { headers: { "x-mode": "fail" } },
    );
    expect(await failure(failing)).toMatchObject({ code: Code.ResourceExhausted });
  });

  it("holds a client back whose upload is not read", async () => {
    const { blobs } = harness.clients();
    const controller = new AbortController();
    let sent = 0;
    const upload = blobs.put(
      (async function* () {
        for (; ; sent++) {
          yield { data: new Uint8Array(1 << 20) };
        }
      })(),
      { headers: { "x-mode": "hold" }, signal: controller.signal },
    );
    await harness.log.seen("put holds");
    // Other calls on the same connection go on; after 200 of them the upload has stalled.
    for (let index = 0; index < 200; index++) {
      await blobs.stat({ digest: digest(STAT.echo) });
    }
    expect(sent).toBeLessThan(40);
    controller.abort();
    expect(await failure(upload)).toMatchObject({ code: Code.Canceled });
    await harness.log.seen("put signal");
    await harness.log.seen("put finally");
  });

  it("serves grpc-js", async () => {
    const client = grpcJsClient(`127.0.0.1:${harness.port}`);
    harness.onClose(() => client.close());
    const metadata = new Metadata();
    metadata.set("x-data-bin", Buffer.of(0, 255));
    const stat = grpcJsMethod(BlobService.method.stat);
    const header = await new Promise<Metadata>((resolve, reject) => {
      const call = client.makeUnaryRequest(
        stat.path,
        stat.requestSerialize,
        stat.responseDeserialize,
        { digest: digest(STAT.metadata) },
        metadata,
        (error) => error && reject(error),
      );
      call.on("metadata", resolve);
    });
    expect(header.get("x-data-bin")).toEqual([Buffer.of(0, 255)]);
    const put = grpcJsMethod(BlobService.method.put);
    const size = await new Promise<string>((resolve, reject) => {
      const call = client.makeClientStreamRequest<object, { digest: Uint8Array }>(
        put.path,
        put.requestSerialize,
        put.responseDeserialize,
        metadata,
        (error, value) =>
          error ? reject(error) : resolve(Buffer.from(value?.digest ?? []).toString()),
      );
      for (let index = 0; index < 20; index++) {
        call.write({ data: new Uint8Array(100_000) });
      }
      call.end();
    });
    expect(size).toBe("2000000");
    const chat = grpcJsMethod(ServerReflection.method.serverReflectionInfo);
    const answers: string[] = [];
    await new Promise((resolve, reject) => {
      const call = client.makeBidiStreamRequest<object, { validHost: string }>(
        chat.path,
        chat.requestSerialize,
        chat.responseDeserialize,
      );
      call.on("data", (answer: { validHost: string }) => {
        answers.push(answer.validHost);
        if (answers.length === 1) {
          call.write({ host: "second" });
        } else {
          call.end();
        }
      });
      call.on("end", resolve);
      call.on("error", reject);
      call.write({ host: "first" });
    });
    expect(answers).toEqual(["FIRST", "SECOND"]);
  });
});

describe("createRpcServer(), options", () => {
  it("runs interceptors around calls of every protocol, outermost first", async () => {
    const seen: string[] = [];
    const named =
      (name: string): Interceptor =>
      (next) =>
      async (request) => {
        seen.push(`${name} ${request.method.name} ${request.stream}`);
        request.header.set("x-text", `${request.header.get("x-text") ?? ""}${name}`);
        const response = await next(request);
        response.header.set(`x-seen-${name}`, "1");
        return response;
      };
    await harness.close();
    harness = await Harness.open({ interceptors: [named("a"), named("b")] });
    for (const transport of [
      harness.channel().transport,
      createConnectTransport({ baseUrl: harness.url, httpVersion: "1.1" }),
    ]) {
      const { blobs } = clientsOf(transport);
      let header = new Headers();
      const onHeader = (got: Headers) => {
        header = got;
      };
      await blobs.stat({ digest: digest(STAT.metadata) }, { onHeader });
      expect([header.get("x-text"), header.get("x-seen-a")]).toEqual(["ab", "1"]);
      expect(await collect(blobs.read({ digest: digest(READ.three) }))).toHaveLength(3);
      const put = await blobs.put(chunks(10, 20));
      expect(Buffer.from(put.digest).toString()).toBe("30");
      expect(seen.splice(0)).toEqual([
        ...["a Stat false", "b Stat false"],
        ...["a Read true", "b Read true"],
        ...["a Put true", "b Put true"],
      ]);
    }
    const { chat } = harness.clients();
    const answers = await collect(chat.serverReflectionInfo(onlyHost("x")));
    expect(answers.map((answer) => answer.validHost)).toEqual(["X"]);
  });

  it("runs finally of a stream behind interceptors when the client leaves", async () => {
    await harness.close();
    harness = await Harness.open({ interceptors: [(next) => (request) => next(request)] });
    const controller = new AbortController();
    const reading = harness
      .clients()
      .blobs.read({ digest: digest(READ.endless) }, { signal: controller.signal })
      [Symbol.asyncIterator]();
    await reading.next();
    controller.abort();
    await harness.log.seen("read finally");
  });

  it("asks authorize() for every request of every surface, before its body is read", async () => {
    const asked: string[] = [];
    await harness.close();
    harness = await Harness.open({
      authorize: async ({ surface, path, method, headers, peer }) => {
        asked.push(`${surface} ${method} ${path.split("/").at(-1)} ${peer.transport}`);
        await Promise.resolve();
        if (headers.authorization !== "Bearer right") {
          throw new ConnectError("who are you", Code.Unauthenticated);
        }
      },
      fallback: (_, response) => void response.end("served"),
    });
    const transports = (token: string): [string, Transport][] => {
      const interceptors: Interceptor[] = [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ];
      const { url: baseUrl } = harness;
      return [
        ["grpc", harness.channel({ token }).transport],
        ["grpc", createGrpcTransport({ baseUrl, interceptors })],
        ["connect", createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors })],
        ["grpc-web", createGrpcWebTransport({ baseUrl, httpVersion: "2", interceptors })],
      ];
    };
    for (const [surface, transport] of transports("wrong")) {
      const { blobs } = clientsOf(transport);
      const refused = { code: Code.Unauthenticated, rawMessage: "who are you" };
      expect(await failure(blobs.stat({}))).toMatchObject(refused);
      expect(await failure(collect(blobs.read({})))).toMatchObject(refused);
      expect(await failure(blobs.put(chunks(3_000_000)))).toMatchObject(refused);
      expect(asked.splice(0)).toEqual(
        ["Stat", "Read", "Put"].map((name) => `${surface} POST ${name} tcp`),
      );
    }
    expect(harness.log.events).toEqual([]);
    for (const [, transport] of transports("right")) {
      expect((await clientsOf(transport).blobs.stat({})).chunks).toHaveLength(1);
    }
    const refused = await fetch(`${harness.url}/healthz`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toBe(
      'Bearer, Basic realm="tvix", charset="UTF-8"',
    );
    const headers = { authorization: "Bearer right" };
    expect(await (await fetch(`${harness.url}/healthz`, { headers })).text()).toBe("served");
  });

  it("gives paths that are no calls to the fallback, over HTTP/1.1 and HTTP/2", async () => {
    expect((await fetch(`${harness.url}/nothing`)).status).toBe(404);
    await harness.close();
    harness = await Harness.open({
      fallback: (request, response) => {
        let size = 0;
        request.on("data", (chunk: Buffer) => {
          size += chunk.length;
        });
        request.on("end", () => response.end(`${request.url} ${size} ${request.httpVersion}`));
      },
    });
    const body = new Uint8Array(3_000_000);
    const put = await fetch(`${harness.url}/nar/x?y=1`, { method: "PUT", body });
    expect(await put.text()).toBe("/nar/x?y=1 3000000 1.1");
    const session = connectHttp2(harness.url);
    harness.onClose(() => session.close());
    const stream = session.request({ ":path": "/z", ":method": "POST" });
    stream.end("12345");
    let text = "";
    for await (const chunk of stream) {
      text += String(chunk);
    }
    expect(text).toBe("/z 5 2.0");
  });

  it("tells the observer of connections and requests", async () => {
    const seen: string[] = [];
    await harness.close();
    harness = await Harness.open({
      observer: {
        onConnection: ({ transport, encrypted }) => {
          seen.push(`open ${transport} ${encrypted}`);
          return (reason) => {
            seen.push(`gone ${reason}`);
            harness.log.add("gone");
          };
        },
        onRequest: ({ surface }) => {
          return ({ code, httpStatus, bytesIn, bytesOut, error }) => {
            const kind = error instanceof ConnectError ? error.rawMessage : String(error);
            seen.push([surface, code, httpStatus, bytesIn, bytesOut, kind].join(" "));
            harness.log.add("request ended");
          };
        },
      },
    });
    const channel = harness.channel();
    const { blobs } = clientsOf(channel.transport);
    await blobs.stat({ digest: digest(STAT.echo) });
    await failure(blobs.stat({ digest: digest(STAT.crash) }));
    await channel.close();
    await harness.log.seen("gone");
    const connect = clientsOf(createConnectTransport({ baseUrl: harness.url, httpVersion: "1.1" }));
    await failure(connect.blobs.stat({ digest: digest(STAT.crash) }));
    await fetch(`${harness.url}/nothing`);
    await harness.log.seen("request ended", 4);
    expect(seen.filter((line) => !line.startsWith("open") && !line.startsWith("gone"))).toEqual([
      "grpc 0 200 34 43 undefined",
      "grpc 13 200 34 0 Error: secret",
      "connect 13 500   Error: secret",
      "http  404   undefined",
    ]);
    expect(seen[0]).toBe("open tcp false");
    expect(seen).toContain("gone closed");
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses the limit %d", async (maxConnections) => {
    await expect(Harness.open({ limits: { maxConnections } })).rejects.toThrow(RangeError);
  });
});

async function* onlyHost(host: string) {
  yield { host };
}

function frame(bytes: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(FRAME_HEADER_LEN);
  head[0] = flags;
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

/** Makes a call with a bare HTTP/2 client and tells what came in which order. */
async function rawCall(
  method: { parent: { typeName: string }; name: string },
  body: readonly Buffer[],
  headers: Record<string, string> = {},
): Promise<{ frames: string[]; body: Buffer }> {
  const session = connectHttp2(harness.url);
  const frames: string[] = [];
  const parts: Buffer[] = [];
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": `/${method.parent.typeName}/${method.name}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const status = (got: Record<string, unknown>) =>
      got["grpc-status"] === undefined ? "" : ` ${String(got["grpc-status"])}`;
    stream.on("response", (got) => frames.push(`headers${status(got)}`));
    stream.on("trailers", (got) => frames.push(`trailers${status(got)}`));
    stream.on("data", (chunk: Buffer) => parts.push(chunk));
    for (const part of body) {
      stream.write(part);
    }
    stream.end();
    await new Promise((resolve, reject) => {
      stream.on("close", resolve);
      stream.on("error", reject);
    });
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  } finally {
    session.destroy();
  }
  return { frames, body: Buffer.concat(parts) };
}
