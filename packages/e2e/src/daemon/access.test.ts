import { createHash } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removeTree } from "../cli/remove-tree.js";
import { TVIX } from "../cli/tvix.js";
import { reload } from "./reload.js";
import { runProgram } from "./run.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const READER = "token-that-may-read";
const WRITER = "token-that-may-write";

const STAT = "/tvix.castore.v1.BlobService/Stat";
const PUT = "/snix.castore.v1.BlobService/Put";
const HEALTH = "/grpc.health.v1.Health/Check";
const REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/** What a call comes to, by status of gRPC: 0 ok, 5 not found, 7 permission denied, 16 unauthenticated. */
const UNAUTHENTICATED = 16;
const FORBIDDEN = 7;

let directory: string;
let tokens: string;
let daemon: Daemon;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-e2e-access-"));
  tokens = join(directory, "tokens");
  const hash = createHash("sha256").update(WRITER).digest("hex");
  await writeTokens(`reader read ${READER}`, `writer write sha256:${hash}`);
  daemon = await startDaemon({ args: ["--tokens", tokens] });
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await removeTree(directory);
});

async function writeTokens(...lines: readonly string[]): Promise<void> {
  await writeFile(tokens, `${lines.join("\n")}\n`, { mode: 0o600 });
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Calls a method with an empty message by gRPC over HTTP/2. @returns the status of gRPC */
function callGrpc(path: string, token?: string): Promise<number> {
  const session = connect(daemon.url);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...bearer(token),
  });
  let status = -1;
  const take = (headers: Record<string, unknown>): void => {
    if (headers["grpc-status"] !== undefined) status = Number(headers["grpc-status"]);
  };
  stream.on("response", take).on("trailers", take).resume();
  stream.end(new Uint8Array(5));
  return new Promise((resolve, reject) => {
    stream.once("error", reject).once("close", () => {
      session.close();
      resolve(status);
    });
  });
}

const STATUS_OF_NAME: Readonly<Record<string, number>> = {
  invalid_argument: 3,
  not_found: 5,
  permission_denied: FORBIDDEN,
  unauthenticated: UNAUTHENTICATED,
};

/** The same by Connect over HTTP/1.1; only methods with one message each way. */
async function callConnect(path: string, token?: string): Promise<number> {
  const response = await fetch(daemon.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...bearer(token) },
    body: "{}",
  });
  const { code } = await response.json();
  return response.status === 200 ? 0 : (STATUS_OF_NAME[code] ?? -1);
}

/** The same by gRPC-Web over HTTP/1.1, whose status is in headers, or in the text of the last frame. */
async function callGrpcWeb(path: string, token?: string): Promise<number> {
  const response = await fetch(daemon.url + path, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto", ...bearer(token) },
    body: new Uint8Array(5),
  });
  const text = await response.text();
  const status = response.headers.get("grpc-status") ?? /grpc-status: ?(\d+)/.exec(text)?.[1];
  return Number(status ?? -1);
}

const SURFACES = [
  ["gRPC", callGrpc],
  ["Connect", callConnect],
  ["gRPC-Web", callGrpcWeb],
] as const;

describe("a daemon with tokens", () => {
  it.each(SURFACES)("asks for one for each call (%s)", async (_, call) => {
    expect(await call(STAT)).toBe(UNAUTHENTICATED);
    expect(await call(STAT, "token-of-nobody-at-all")).toBe(UNAUTHENTICATED);
    // An empty digest: the call was let in.
    expect(await call(STAT, READER)).toBe(3);
    expect(await call(STAT, WRITER)).toBe(3);
  });

  it.each(SURFACES)("lets probes ask for its health (%s)", async (_, call) => {
    expect(await call(HEALTH)).toBe(0);
  });

  it.each([
    ["gRPC", callGrpc],
    ["gRPC-Web", callGrpcWeb],
  ] as const)("lets readers not write (%s)", async (_, call) => {
    expect(await call(PUT)).toBe(UNAUTHENTICATED);
    expect(await call(PUT, READER)).toBe(FORBIDDEN);
    expect(await call(PUT, WRITER)).toBe(0);
  });

  it("asks for one for reflection, and for methods that it does not have", async () => {
    expect(await callGrpc(REFLECTION)).toBe(UNAUTHENTICATED);
    expect(await callGrpc(REFLECTION, READER)).toBe(0);
    expect(await callGrpc("/tvix.castore.v1.BlobService/Delete")).toBe(UNAUTHENTICATED);
    expect(await callGrpc("/tvix.castore.v1.BlobService/Delete", READER)).toBe(FORBIDDEN);
    expect(await callGrpc("/tvix.castore.v1.BlobService/Delete", WRITER)).toBe(12);
  });

  it.each([
    ["/healthz", [200, 200, 200]],
    ["/readyz", [200, 200, 200]],
    ["/metrics", [401, 200, 200]],
    ["/nowhere", [401, 403, 404]],
  ] as const)("asks for one for %s where it should", async (path, expected) => {
    const statuses = await Promise.all(
      [undefined, READER, WRITER].map(async (token) => {
        const response = await fetch(daemon.url + path, { headers: bearer(token) });
        await response.arrayBuffer();
        return response.status;
      }),
    );
    expect(statuses).toEqual(expected);
  });

  it("says how to show one", async () => {
    const response = await fetch(`${daemon.url}/metrics`);
    expect(response.headers.get("www-authenticate")).toMatch(/^Bearer, Basic /);
    expect(await response.text()).toBe(
      'A token is needed: send the header "authorization: Bearer TOKEN"\n',
    );
  });

  it("asks for none on its socket", async () => {
    const status = await new Promise((resolve, reject) => {
      const { socketPath } = daemon;
      request({ socketPath, path: "/metrics" }, (response) => resolve(response.resume().statusCode))
        .once("error", reject)
        .end();
    });
    expect(status).toBe(200);
  });

  it("reads the file again on SIGHUP, unless it is broken, and writes no token to its log", async () => {
    const fresh = "token-of-the-next-day";
    await writeTokens(`reader read ${fresh}`);
    await reload(daemon);
    expect(await callGrpc(STAT, READER)).toBe(UNAUTHENTICATED);
    expect(await callGrpc(STAT, fresh)).toBe(3);

    await writeTokens(`reader read ${READER} surplus`);
    await reload(daemon, "not reloaded");
    expect(daemon.log()).toContain(`${tokens}:1: a line is NAME SCOPE TOKEN`);
    expect(await callGrpc(STAT, fresh)).toBe(3);

    expect(daemon.log()).toContain("unauthenticated");
    for (const token of [READER, WRITER, fresh, "token-of-nobody-at-all"]) {
      expect(daemon.log()).not.toContain(token);
    }
  });
});

describe("a daemon that others can reach", () => {
  const refusal = /^tvix: cannot use the configuration: --listen: other machines can reach /;

  it.each(["0.0.0.0:0", "[::]:0", "127.0.0.1:0,0.0.0.0:0"])(
    "is refused at %s without TLS and authentication",
    async (address) => {
      const args = ["daemon", "--data-dir", join(directory, "none"), "--listen", address];
      const bare = await runProgram(TVIX, args);
      expect(bare.status).toBe(2);
      expect(bare.stderr).toMatch(refusal);
      expect(bare.stderr).toContain("TLS (tls.cert, tls.key) and authentication");
      const withTokens = await runProgram(TVIX, [...args, "--tokens", tokens]);
      expect(withTokens.status).toBe(2);
      expect(withTokens.stderr).toMatch(refusal);
    },
  );

  it("is served with --insecure, and warns", async () => {
    const open = await startDaemon({ args: ["--listen", "0.0.0.0:0", "--insecure"] });
    try {
      expect(open.log()).toContain("without TLS or without authentication");
      const response = await fetch(`http://127.0.0.1:${open.port}/healthz`);
      expect(response.status).toBe(200);
    } finally {
      await open[Symbol.asyncDispose]();
    }
  });
});
