import { describe, expect, it } from "vitest";
import { readyAddress, startServer } from "./server-process.js";

const READY = '{"msg":"ready","addresses":["unix:/run/x","http://127.0.0.1:8000"]}\n';

function node(script: string) {
  return { program: process.execPath, args: ["-e", script] };
}

describe("readyAddress()", () => {
  it.each([
    { title: "the TCP address", log: READY, address: "127.0.0.1:8000" },
    {
      title: "it behind other lines",
      log: `(node) x\n{"msg":"a"}\n${READY}`,
      address: "127.0.0.1:8000",
    },
    { title: "nothing of a line that goes on", log: READY.trim(), address: undefined },
    { title: "nothing without addresses", log: '{"msg":"ready"}\n', address: undefined },
    { title: "nothing of other lines", log: READY.replace("ready", "x"), address: undefined },
  ])("reads $title", ({ log, address }) => {
    expect(readyAddress(log)).toBe(address);
  });
});

describe("startServer()", () => {
  const { signal } = new AbortController();

  it("waits until the server is ready, and ends it", async () => {
    const script = `console.error(${JSON.stringify(READY.trim())}); setInterval(() => {}, 1000)`;
    const server = await startServer(node(script), signal);
    expect(server.address).toBe("127.0.0.1:8000");
    await server.stop();
    expect(server.peakBytes()).toBeUndefined();
  });

  it("tells what a server said that does not become ready", async () => {
    const failing = startServer(node("console.error('no port')"), signal);
    await expect(failing).rejects.toThrow("Cannot start a server: no port");
  });
});
