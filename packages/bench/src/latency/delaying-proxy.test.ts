import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DelayingProxy } from "./delaying-proxy.js";

describe("DelayingProxy", () => {
  let server: Server;
  const accepted: Socket[] = [];

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      accepted.push(socket);
      socket.on("error", () => socket.destroy());
      socket.pipe(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  afterEach(async () => {
    for (const socket of accepted.splice(0)) socket.destroy();
    server.close();
    await once(server, "close");
  });

  async function listen(delayMs: number): Promise<DelayingProxy> {
    const { port } = server.address() as AddressInfo;
    return await DelayingProxy.listen({ host: "127.0.0.1", port }, { delayMs });
  }

  async function echo(socket: Socket, text: string): Promise<number> {
    const begin = performance.now();
    socket.write(text);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(String(answer)).toBe(text);
    return performance.now() - begin;
  }

  it("lets every round trip take twice the delay, and the first one twice that", async () => {
    await using proxy = await listen(40);
    const socket = connect(proxy.port, "127.0.0.1");
    expect(await echo(socket, "first")).toBeGreaterThanOrEqual(158);
    const second = await echo(socket, "second");
    expect(second).toBeGreaterThanOrEqual(78);
    expect([proxy.bytesUp, proxy.bytesDown, proxy.connections]).toEqual([11, 11, 1]);
    socket.destroy();
  });

  it("carries much in its order, and the end", async () => {
    await using proxy = await listen(5);
    const socket = connect(proxy.port, "127.0.0.1");
    const sent = Buffer.alloc(40 * 1024 * 1024, "0123456789abcdef-");
    const received: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => received.push(bytes));
    socket.end(sent);
    await once(socket, "end");
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    expect(proxy.bytes).toBe(2 * sent.length);
  });

  it("breaks connections, and takes new ones", async () => {
    await using proxy = await listen(1);
    const socket = connect(proxy.port, "127.0.0.1");
    await echo(socket, "before");
    proxy.sever();
    await once(socket, "error");
    const again = connect(proxy.port, "127.0.0.1");
    await echo(again, "after");
    again.destroy();
  });
});
