import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Readable } from "node:stream";
import { connect as connectTls } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import {
  CA_CERT,
  CLIENT_CERT,
  CLIENT_KEY,
  SERVER_CERT,
  SERVER_KEY,
} from "../../test/certificates.js";
import { EventLog } from "../../test/event-log.js";
import { clientsOf, collect, failure, Harness } from "../../test/harness.js";
import { digest, READ, STAT, testRoutes } from "../../test/services.js";
import { openRpcChannel } from "../client/channel.js";
import type { RpcServer } from "./rpc-server.js";
import { createRpcServer } from "./server.js";

let harness: Harness | undefined;
const servers: RpcServer[] = [];

afterEach(async () => {
  await harness?.close();
  harness = undefined;
  for (const server of servers.splice(0)) {
    await server.close();
  }
});

async function open(): Promise<Harness> {
  harness = await Harness.open();
  return harness;
}

/** An upload that waits in its middle until it is let go. */
function heldUpload(on: Harness) {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const result = on.clients().blobs.put(
    (async function* () {
      yield { data: new Uint8Array(10) };
      await held;
      yield { data: new Uint8Array(5) };
    })(),
  );
  return { result, release };
}

describe("RpcServer.drain()", () => {
  it("lets calls in flight end, refuses new connections, and then is gone", async () => {
    const { server, log, url, port } = await open();
    const { result, release } = heldUpload(harness as Harness);
    await log.seen("put message");
    const idle = (harness as Harness).channel();
    await idle.connect();
    const drained = server.drain(60_000);
    // A channel that was connected is sent away, and there is nobody to connect to again.
    const late = clientsOf(openRpcChannel(`grpc+http://127.0.0.1:${port}`).transport);
    expect(await failure(late.blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
    await expect(fetch(url)).rejects.toThrow();
    release();
    expect(Buffer.from((await result).digest).toString()).toBe("15");
    await drained;
    expect([server.connectionCount, server.callCount]).toEqual([0, 0]);
    expect(log.events).not.toContain(`put fails ${Code.Unavailable}`);
  });

  it("fails calls with Unavailable that have not ended after the grace time", async () => {
    const { server, log } = await open();
    const { result } = heldUpload(harness as Harness);
    const connect = clientsOf(
      createConnectTransport({ baseUrl: (harness as Harness).url, httpVersion: "1.1" }),
    );
    const hanging = failure(connect.blobs.stat({ digest: digest(STAT.hang) }));
    await log.seen("put message");
    await log.seen("stat begins");
    const failed = failure(result);
    await server.drain(50);
    expect(await failed).toMatchObject({ code: Code.Unavailable });
    expect(await hanging).toMatchObject({ code: Code.Unavailable });
    await log.seen(`put fails ${Code.Unavailable}`);
    await log.seen("stat aborted");
  });

  it("lets an HTTP/1.1 response in flight end", async () => {
    let respond: () => void = () => {};
    const log = new EventLog();
    harness = await Harness.open({
      fallback: (_, response) => {
        respond = () => response.end("late");
        log.add("asked");
      },
    });
    const answer = fetch(harness.url);
    await log.seen("asked");
    const drained = harness.server.drain(60_000);
    respond();
    expect(await (await answer).text()).toBe("late");
    await drained;
  });

  it("resolves at once without connections, and listening again is refused", async () => {
    const { server } = await open();
    await server.drain(60_000);
    await expect(server.listen({ host: "127.0.0.1", port: 0 })).rejects.toThrow(/closing/);
  });
});

describe("RpcServer.close()", () => {
  it("ends calls at once; clients get Unavailable and handlers are stopped", async () => {
    const { server, log } = await open();
    const { result } = heldUpload(harness as Harness);
    await log.seen("put message");
    const failed = failure(result);
    await server.close();
    expect(await failed).toMatchObject({ code: Code.Unavailable });
    await log.seen("put finally");
    expect(server.connectionCount).toBe(0);
    await server.close();
  });
});

describe("RpcServer.listen()", () => {
  it("tells where it listens, and refuses an address that is taken", async () => {
    const { server, port, path } = await open();
    expect(server.addresses).toEqual([
      { transport: "tcp", host: "127.0.0.1", port },
      { transport: "unix", path },
    ]);
    await expect(server.listen({ host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  it("takes a socket that was inherited as a file descriptor", async () => {
    const listening = createServer();
    listening.listen(0, "127.0.0.1");
    await once(listening, "listening");
    const script = `
      import { createRpcServer } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
      const server = createRpcServer({ routes() {}, fallback: (_, response) => response.end("inherited") });
      const bound = await server.listen({ fd: 3 });
      console.log(bound.transport, bound.port);
    `;
    // The handle of a server has a descriptor on POSIX systems; Node does not show it in its types.
    const { fd } = (listening as unknown as { _handle: { fd: number } })._handle;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit", fd],
    });
    try {
      const address = listening.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const [line] = await once(child.stdout as Readable, "data");
      expect(String(line)).toBe(`tcp ${port}\n`);
      listening.close();
      expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe("inherited");
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
      listening.close();
    }
  });
});

describe("createRpcServer(), TLS", () => {
  const tls = { cert: SERVER_CERT, key: SERVER_KEY };

  async function openTls(options: Parameters<typeof createRpcServer>[0]): Promise<number> {
    const server = createRpcServer(options);
    servers.push(server);
    const bound = await server.listen({ host: "127.0.0.1", port: 0 });
    return bound.transport === "tcp" ? bound.port : 0;
  }

  it("serves gRPC and HTTP/1.1 on one port, by ALPN, with names and certificates checked", async () => {
    const log = new EventLog();
    const peers: string[] = [];
    const port = await openTls({
      routes: testRoutes(log),
      tls,
      authorize: ({ peer, surface }) => void peers.push(`${surface} ${peer.encrypted}`),
    });
    for (const host of ["localhost", "127.0.0.1"]) {
      const channel = openRpcChannel(`grpc+https://${host}:${port}`, { tls: { ca: CA_CERT } });
      const { blobs } = clientsOf(channel.transport);
      expect(await collect(blobs.read({ digest: digest(READ.three) }))).toHaveLength(3);
      await channel.close();
    }
    const baseUrl = `https://localhost:${port}`;
    const nodeOptions = { ca: CA_CERT };
    const http1 = createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions });
    expect((await clientsOf(http1).blobs.stat({})).chunks).toHaveLength(1);
    const http2 = createGrpcTransport({ baseUrl, nodeOptions });
    expect((await clientsOf(http2).blobs.stat({})).chunks).toHaveLength(1);
    expect(peers).toEqual(["grpc true", "grpc true", "connect true", "grpc true"]);
    for (const options of [{}, { tls: { ca: CA_CERT, serverName: "elsewhere" } }]) {
      const channel = openRpcChannel(`grpc+https://localhost:${port}`, options);
      const { blobs } = clientsOf(channel.transport);
      expect(await failure(blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
      await channel.close();
    }
    const clear = openRpcChannel(`grpc+http://localhost:${port}`);
    const { blobs } = clientsOf(clear.transport);
    expect(await failure(blobs.stat({}))).toMatchObject({ code: Code.Unavailable });
    await clear.close();
  });

  it("asks for client certificates where an authority for them is given", async () => {
    const names: (string | string[] | undefined)[] = [];
    const port = await openTls({
      routes: testRoutes(new EventLog()),
      tls: { ...tls, clientCa: CA_CERT },
      authorize: ({ peer }) => {
        names.push(peer.certificate?.subject.CN);
      },
    });
    const address = `grpc+https://localhost:${port}`;
    const shown = { ca: CA_CERT, cert: CLIENT_CERT, key: CLIENT_KEY };
    const known = openRpcChannel(address, { tls: shown });
    expect((await clientsOf(known.transport).blobs.stat({})).chunks).toHaveLength(1);
    const unknown = openRpcChannel(address, { tls: { ca: CA_CERT } });
    const error = await failure(clientsOf(unknown.transport).blobs.stat({}));
    expect(ConnectError.from(error).code).toBe(Code.Unavailable);
    expect(names).toEqual(["client"]);
    await known.close();
    await unknown.close();
  });

  it("shows another certificate to connections that come after it is replaced", async () => {
    const server = createRpcServer({ routes: testRoutes(new EventLog()), tls });
    servers.push(server);
    const shown = await Promise.all(
      [0, 1].map(async () => {
        const bound = await server.listen({ host: "127.0.0.1", port: 0 });
        return () => nameShownAt(bound.transport === "tcp" ? bound.port : 0);
      }),
    );
    const names = () => Promise.all(shown.map((name) => name()));
    expect(await names()).toEqual(["localhost", "localhost"]);
    const next = { cert: CLIENT_CERT, key: CLIENT_KEY };
    server.replaceTls(next);
    expect(await names()).toEqual(["client", "client"]);
    for (const [broken, reason] of [
      [{ ...next, key: SERVER_KEY }, /key values mismatch/],
      [{ ...next, clientCa: CA_CERT }, /whether clients are asked for one cannot change/],
    ] as const) {
      expect(() => server.replaceTls(broken)).toThrow(reason);
    }
    expect(await names()).toEqual(["client", "client"]);
    const late = await server.listen({ host: "127.0.0.1", port: 0 });
    expect(await nameShownAt(late.transport === "tcp" ? late.port : 0)).toBe("client");
  });

  it("has no certificate to replace where there was none", () => {
    const server = createRpcServer({ routes: testRoutes(new EventLog()) });
    expect(() => server.replaceTls(tls)).toThrow(TypeError);
  });
});

/** The name in the certificate that a server shows. */
async function nameShownAt(port: number): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}
