import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Harness } from "../../test/harness.js";
import type { RequestEnd } from "./hooks.js";

const STAT = "/tvix.castore.v1.BlobService/Stat";
const JSON_TYPE = { "content-type": "application/json" };

let harness: Harness;
let ended: Promise<RequestEnd>;

beforeEach(async () => {
  let onEnd: (end: RequestEnd) => void = () => {};
  ended = new Promise((resolve) => {
    onEnd = resolve;
  });
  harness = await Harness.open({ observer: { onRequest: () => onEnd } });
});

afterEach(() => harness.close());

describe("createHttpSurface()", () => {
  it.each<[string, RequestInit, number, Code | 0]>([
    ["a call", { method: "POST", headers: JSON_TYPE, body: "{}" }, 200, 0],
    [
      "a body that cannot be read",
      { method: "POST", headers: JSON_TYPE, body: "{bad" },
      400,
      Code.InvalidArgument,
    ],
    [
      "a body of another type",
      { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" },
      415,
      Code.Unimplemented,
    ],
    ["another method than POST", { method: "DELETE" }, 405, Code.Unimplemented],
  ])("tells how it went: %s", async (_, init, httpStatus, code) => {
    const response = await fetch(harness.url + STAT, init);
    await response.arrayBuffer();
    expect(response.status).toBe(httpStatus);
    expect(await ended).toMatchObject({ httpStatus, code });
  });
});

describe("createHttpSurface() and URLs", () => {
  it.each([
    [STAT, 200],
    [`http://any.example${STAT}`, 200],
    [`HTTPS://any.example:1${STAT}?a=b`, 200],
    ["http://any.example", 404],
    ["http://any.example?a", 404],
    [`//any.example${STAT}`, 404],
  ])("takes the request for %s", async (path, status) => {
    const { port } = new URL(harness.url);
    const request = httpRequest({ port, path, method: "POST", headers: JSON_TYPE });
    request.end("{}");
    const [response] = await once(request, "response");
    response.resume();
    expect(response.statusCode).toBe(status);
  });
});

describe("createHttpSurface() refusing over HTTP/2", () => {
  let session: ClientHttp2Session;
  let stream: ClientHttp2Stream;
  let answered: Promise<number>;

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    session = connect(harness.url);
    const headers = { ":method": "POST", ":path": STAT, "content-type": "text/plain" };
    stream = session.request(headers, { endStream: false });
    answered = once(stream, "response").then(([head]) => Number(head[":status"]));
    stream.write("{");
    await vi.waitUntil(() => vi.getTimerCount() > 0);
  });

  afterEach(() => {
    vi.useRealTimers();
    session.destroy();
  });

  it("answers when the request has ended", async () => {
    const ping = new Promise((resolve) => session.ping(() => resolve("no answer yet")));
    expect(await Promise.race([answered, ping])).toBe("no answer yet");
    stream.end("}");
    expect(await answered).toBe(415);
  });

  it("does not wait for long when the rest is late", async () => {
    vi.runOnlyPendingTimers();
    expect(await answered).toBe(415);
  });

  it("does not wait for the rest of a long request", async () => {
    stream.write(new Uint8Array(65 * 1024));
    expect(await answered).toBe(415);
  });

  it("is through with a client that goes away", async () => {
    stream.destroy();
    expect(await ended).toMatchObject({ code: Code.Canceled });
    expect(vi.getTimerCount()).toBe(0);
  });
});
