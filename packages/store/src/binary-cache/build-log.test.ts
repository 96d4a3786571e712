import { gzipSync } from "node:zlib";
import { toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import { MemoryCache } from "../testing/memory-cache.js";
import { MAX_BUILD_LOG_BYTES } from "./build-log.js";
import { binaryCacheRoute } from "./routes.js";

const LOG = `/log/${"0".repeat(32)}-hello-1.0.drv`;

describe("BUILD_LOG_ROUTE", () => {
  it("gives back what was put, the last one", async () => {
    const cache = new MemoryCache();
    expect(await cache.ask("PUT", LOG, { body: "first" })).toMatchObject({ status: 200 });
    expect(await cache.ask("PUT", LOG, { body: "first\n\x1b[31msecond" })).toMatchObject({
      status: 200,
      text: "",
    });
    const answer = await cache.ask("GET", LOG);
    expect(answer).toMatchObject({
      status: 200,
      text: "first\n\x1b[31msecond",
      headers: { "content-type": "text/plain; charset=utf-8", "content-length": "17" },
    });
    const { etag = "" } = answer.headers;
    const again = await cache.ask("GET", LOG, { headers: { "if-none-match": etag } });
    expect(again).toMatchObject({ status: 304, text: "" });
  });

  it("answers HEAD without a body, and ranges", async () => {
    const cache = new MemoryCache();
    await cache.ask("PUT", LOG, { body: "0123456789" });
    const head = await cache.ask("HEAD", LOG);
    expect(head).toMatchObject({ status: 200, text: "", headers: { "content-length": "10" } });
    const part = await cache.ask("GET", LOG, { headers: { range: "bytes=3-4" } });
    expect(part).toMatchObject({ status: 206, text: "34" });
  });

  it("keeps a log without text", async () => {
    const cache = new MemoryCache();
    await cache.ask("PUT", LOG);
    expect(await cache.ask("GET", LOG)).toMatchObject({ status: 200, text: "" });
  });

  it("takes a log that is compressed, and compresses it for clients that ask", async () => {
    const cache = new MemoryCache();
    const text = "make: nothing to be done\n".repeat(100);
    const headers = { "content-encoding": "gzip" };
    await cache.ask("PUT", LOG, { body: new Uint8Array(gzipSync(text)), headers });
    expect(await cache.ask("GET", LOG)).toMatchObject({ text });
    const asked = await cache.ask("GET", LOG, { headers: { "accept-encoding": "gzip" } });
    expect(asked.headers).toMatchObject({ "content-encoding": "gzip" });
    expect(asked.body.byteLength).toBeLessThan(text.length);
  });

  it.each([
    ["GET", LOG, {}, 404],
    ["HEAD", LOG, {}, 404],
    ["POST", LOG, {}, 405],
    ["PUT", LOG, { body: "x", headers: { "content-encoding": "compress" } }, 415],
    ["PUT", LOG, { body: "not gzip", headers: { "content-encoding": "gzip" } }, 400],
    ["PUT", LOG, { body: "short", headers: { "content-length": "6" } }, 400],
    ["PUT", LOG, { headers: { "content-length": String(MAX_BUILD_LOG_BYTES + 1) } }, 413],
  ] as const)("answers %s %s %j with %i and one line", async (method, url, options, status) => {
    const cache = new MemoryCache();
    const answer = await cache.ask(method, url, options);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(method === "HEAD" ? /^$/ : /^[^\n]+\n$/);
    expect(await cache.ask("GET", LOG)).toMatchObject({ status: 404 });
  });

  it("ends a log that decompresses to too much, and keeps nothing of it", async () => {
    const cache = new MemoryCache();
    const bomb = new Uint8Array(gzipSync(new Uint8Array(MAX_BUILD_LOG_BYTES + 1)));
    const headers = { "content-encoding": "gzip" };
    expect(await cache.ask("PUT", LOG, { body: bomb, headers })).toMatchObject({ status: 413 });
    expect(await cache.ask("GET", LOG)).toMatchObject({ status: 404 });
  });

  it("keeps nothing of a body that breaks off", async () => {
    const cache = new MemoryCache();
    const body = (async function* () {
      yield toUtf8("half of");
      throw new Error("The client has gone");
    })();
    await expect(cache.ask("PUT", LOG, { body })).rejects.toThrow("The client has gone");
    expect(await cache.ask("GET", LOG)).toMatchObject({ status: 404 });
  });

  it.each(["/log/", "/log/x.drv", `${LOG}x`, `${LOG}/`, LOG.replace("hello", ".."), "/log/%2e"])(
    "has nothing but derivations: %s",
    (path) => {
      expect(binaryCacheRoute(path)).toBe(path.includes("..-") ? "log" : undefined);
    },
  );
});
