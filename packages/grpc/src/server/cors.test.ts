import { type IncomingHttpHeaders, request as requestHttp1 } from "node:http";
import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Harness } from "../../test/harness.js";

const PAGE = "https://example.org";
const STAT = "/tvix.castore.v1.BlobService/Stat";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

let harness: Harness;
let authorized: string[];

beforeAll(async () => {
  authorized = [];
  harness = await Harness.open({
    cors: { origins: [PAGE, "http://localhost:1"], exposedHeaders: ["x-size"] },
    authorize: ({ path }) => void authorized.push(path),
  });
});

afterAll(() => harness.close());

function byHttp1(method: string, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = requestHttp1(`${harness.url}${path}`, { method, headers }, (response) => {
      response.resume().once("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers });
      });
    });
    sent.once("error", reject).end(method === "POST" ? "{}" : "");
  });
}

function byHttp2(method: string, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(harness.url).once("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    stream.once("error", reject).once("response", (received) => {
      const { ":status": status = 0, ...rest } = received;
      stream.resume().once("close", () => {
        session.close();
        resolve({ status, headers: rest });
      });
    });
    if (method === "POST") {
      stream.write("{}");
    }
    stream.end();
  });
}

/** Names of the headers that let a page see something. */
function allowances({ headers }: Answer): string[] {
  return Object.keys(headers).filter((name) => name.startsWith("access-control-"));
}

describe.each([
  ["HTTP/1.1", byHttp1],
  ["HTTP/2", byHttp2],
])("a server with cors over %s", (_, ask) => {
  const preflight = { "access-control-request-method": "POST" };
  const json = { "content-type": "application/json" };

  it("answers the preflight of a page that may call, and asks it for nothing", async () => {
    authorized.length = 0;
    const { status, headers } = await ask("OPTIONS", STAT, { ...preflight, origin: PAGE });
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      "access-control-allow-origin": PAGE,
      "access-control-allow-methods": "POST, GET, HEAD",
      "access-control-allow-headers": expect.stringMatching(
        /Content-Type, Connect-Protocol-Version, .*X-Grpc-Web, .*Authorization, Traceparent/i,
      ),
      "access-control-max-age": "7200",
      vary: "Origin",
    });
    expect(headers["access-control-allow-credentials"]).toBeUndefined();
    expect(authorized).toEqual([]);
  });

  it("lets it see the answer to a call, with its status", async () => {
    const { status, headers } = await ask("POST", STAT, { ...json, origin: PAGE });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "access-control-allow-origin": PAGE,
      "access-control-expose-headers": expect.stringMatching(
        /^Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, .*, x-size$/i,
      ),
      vary: "Origin",
    });
  });

  it("lets it see that there is nothing", async () => {
    const answer = await ask("GET", "/nowhere", { origin: PAGE });
    expect(answer.status).toBe(404);
    expect(answer.headers["access-control-allow-origin"]).toBe(PAGE);
  });

  it.each([
    ["another page", { origin: "https://example.com" }],
    ["a page without an origin", { origin: "null" }],
    ["a page below", { origin: `${PAGE}.example.com` }],
    ["nobody", {}],
  ])("lets %s see nothing", async (_, origin) => {
    const call = await ask("POST", STAT, { ...json, ...origin });
    expect([call.status, allowances(call)]).toEqual([200, []]);
    expect(call.headers.vary).toBe("Origin");
    const asked = await ask("OPTIONS", STAT, { ...preflight, ...origin });
    expect(asked.status).toBeGreaterThanOrEqual(400);
    expect(allowances(asked)).toEqual([]);
  });

  it("takes OPTIONS that is no preflight for any other request", async () => {
    expect((await ask("OPTIONS", STAT, { origin: PAGE })).status).toBeGreaterThanOrEqual(400);
  });
});
