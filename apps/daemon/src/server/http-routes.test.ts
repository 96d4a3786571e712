import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Life } from "../life/life.js";
import { createLogger } from "../log/create-logger.js";
import { type HttpRoutesOptions, httpRoutes } from "./http-routes.js";

const LOG = { level: "info", format: "text", fd: 2, isTerminal: false } as const;

const servers: Server[] = [];
const logged: string[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(options: Partial<HttpRoutesOptions> = {}): Promise<string> {
  const logger = await createLogger({ ...LOG, writeText: (line) => logged.push(line) });
  const server = createServer(
    httpRoutes({ life: new Life(), logger, metrics: undefined, ...options }),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function get(url: string, init?: RequestInit): Promise<string> {
  const response = await fetch(url, init);
  return `${response.status} ${await response.text()}`;
}

describe("httpRoutes()", () => {
  it("says whether the daemon is ready, and that it lives in any case", async () => {
    const life = new Life();
    const url = await serve({ life });
    const both = async () => [await get(`${url}/healthz`), await get(`${url}/readyz`)];
    expect(await both()).toEqual(["200 ok\n", "503 starting\n"]);
    life.become("listening");
    expect(await both()).toEqual(["200 ok\n", "200 ready\n"]);
    life.become("ready");
    life.become("reloading");
    expect(await both()).toEqual(["200 ok\n", "200 ready\n"]);
    life.become("draining");
    expect(await both()).toEqual(["200 ok\n", "503 draining\n"]);
  });

  it("serves metrics where they are on", async () => {
    const metrics = {
      text: async () => "x 1\n",
      contentType: "text/plain; version=0.0.4",
      pageServed() {},
    };
    const response = await fetch(`${await serve({ metrics })}/metrics?a=b`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4");
    expect(await response.text()).toBe("x 1\n");
    expect(await get(`${await serve()}/metrics`)).toBe("404 not found\n");
  });

  it.each(["/", "/healthz/", "/HEALTHZ", "//healthz", "/%68ealthz", "/nix-cache-info"])(
    "does not find %s",
    async (path) => {
      expect(await get(`${await serve()}${path}`)).toBe("404 not found\n");
    },
  );

  it("answers also where the cache has the path and serves nothing", async () => {
    const url = await serve({ serveCache: async () => false });
    expect(await get(`${url}/nix-cache-info`)).toBe("404 not found\n");
  });

  it("says that a page could not be made, and only the log says why", async () => {
    const text = () => Promise.reject(new Error("out of numbers"));
    const url = await serve({ metrics: { text, contentType: "text/plain", pageServed() {} } });
    expect(await get(`${url}/metrics`)).toBe("500 internal error\n");
    expect(logged.at(-1)).toContain('a page could not be made error="out of numbers"');
  });

  it("takes no other method, and reads what is sent along", async () => {
    const url = await serve();
    const body = "x".repeat(1_000_000);
    expect(await get(`${url}/healthz`, { method: "POST", body })).toBe(
      "405 only GET and HEAD are allowed here\n",
    );
    expect(await get(`${url}/nowhere`, { method: "PUT", body })).toBe("404 not found\n");
    expect(await get(`${url}/healthz`, { method: "HEAD" })).toBe("200 ");
  });
});
