import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../cli/remove-tree.js";
import { until } from "../cli/until.js";
import { type Daemon, type StartDaemonOptions, startDaemon } from "./start-daemon.js";

const STAT = "/tvix.castore.v1.BlobService/Stat";

/** Makes the packages that are loaded on demand impossible to load. */
const WITHOUT_PACKAGES = `
import { register } from "node:module";
const hooks = \`export async function resolve(specifier, context, next) {
  if (/^(pino|prom-client|@opentelemetry\\\\/.*)$/.test(specifier)) {
    throw new Error("not to be loaded: " + specifier);
  }
  return await next(specifier, context);
}\`;
register("data:text/javascript," + encodeURIComponent(hooks));
`;

let directory: string;
const daemons: Daemon[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-e2e-observe-"));
});

afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon[Symbol.asyncDispose]();
  for (const server of servers.splice(0)) server.close().closeAllConnections();
  await removeTree(directory);
});

async function start(options: StartDaemonOptions): Promise<Daemon> {
  const daemon = await startDaemon(options);
  daemons.push(daemon);
  return daemon;
}

/** Calls Stat with an empty digest, which is refused. */
async function callStat(daemon: Daemon, headers: Record<string, string> = {}): Promise<void> {
  const session = connect(daemon.url);
  const stream = session.request({
    ":method": "POST",
    ":path": STAT,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.resume().end(new Uint8Array(5));
  await new Promise((resolve, reject) => stream.once("error", reject).once("close", resolve));
  session.close();
}

describe("what is off", () => {
  const off = ["--log-level", "off", "--no-metrics"];

  async function withoutPackages(): Promise<Record<string, string>> {
    const file = join(directory, "without.mjs");
    await writeFile(file, WITHOUT_PACKAGES);
    return { NODE_OPTIONS: `--import=${pathToFileURL(file).href}` };
  }

  it("is not loaded", async () => {
    const env = await withoutPackages();
    const daemon = await start({ args: off, env });
    expect((await fetch(`${daemon.url}/readyz`)).status).toBe(200);
    await callStat(daemon);
    await daemon.stop();
    expect(daemon.log().trimEnd().split("\n")).toHaveLength(1);
  });

  it.each([
    ["pino", ["--no-metrics"], {}],
    ["prom-client", ["--log-level", "off"], {}],
    ["@opentelemetry/", off, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }],
  ])("would be missed if it were on: %s", async (name, args, variables) => {
    const env = { ...(await withoutPackages()), ...variables };
    await expect(start({ args, env })).rejects.toThrow(`not to be loaded: ${name}`);
  });
});

describe("the log", () => {
  it("has a line for each call that failed, and for the others at level debug", async () => {
    const daemon = await start({ args: ["--log-level", "debug"] });
    await callStat(daemon);
    await fetch(`${daemon.url}/healthz?secret`);
    await until(() => daemon.log().includes("/healthz"));
    const lines = daemon
      .log()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: "warn",
        msg: "call failed",
        method: STAT.slice(1),
        code: "invalid_argument",
        surface: "grpc",
        peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        reason: expect.stringContaining("digest"),
        ms: expect.any(Number),
      }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "debug", msg: "request", path: "/healthz", status: 200 }),
    );
    expect(daemon.log()).not.toContain("secret");
  });

  it("cannot be made to lie by what peers send", async () => {
    const daemon = await start({});
    await callStat(daemon, { ":path": '/x/y"\u009b2J\u2028{"level":"error"}' }).catch(() => {});
    await callStat(daemon);
    await until(() => daemon.log().includes("invalid_argument"));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
    expect(daemon.log()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/);
  });
});

describe("traces", () => {
  const TRACE = "0af7651916cd43dd8448eb211c80319c";

  /** A collector of traces; `bodies` are what it was sent. */
  async function collect(): Promise<{ url: string; bodies: Buffer[]; paths: string[] }> {
    const bodies: Buffer[] = [];
    const paths: string[] = [];
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        bodies.push(Buffer.concat(parts));
        paths.push(`${request.method} ${request.url} ${request.headers["content-type"]}`);
        response.end();
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, paths };
  }

  it("are sent where OTEL_EXPORTER_OTLP_ENDPOINT says, as part of the caller's trace", async () => {
    const { url, bodies, paths } = await collect();
    const daemon = await start({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: "my-store" },
    });
    await callStat(daemon, { traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
    await daemon.stop();
    expect(paths).toEqual(["POST /v1/traces application/x-protobuf"]);
    const [body = Buffer.alloc(0)] = bodies;
    expect(body.includes(Buffer.from(TRACE, "hex"))).toBe(true);
    expect(body.includes(Buffer.from("b7ad6b7169203331", "hex"))).toBe(true);
    expect(body.includes("tvix.castore.v1.BlobService/Stat")).toBe(true);
    expect(body.includes("my-store")).toBe(true);
  });

  it("do not keep a daemon from ending when nobody takes them", async () => {
    const daemon = await start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" } });
    await callStat(daemon);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });
});
