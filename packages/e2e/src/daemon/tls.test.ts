import { execFileSync } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { connect } from "node:http2";
import { type RequestOptions, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removeTree } from "../cli/remove-tree.js";
import { TVIX } from "../cli/tvix.js";
import { runProgram } from "./run.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const STAT = "/tvix.castore.v1.BlobService/Stat";

let directory: string;
let daemon: Daemon;

const file = (name: string): string => join(directory, name);

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
}

/** A key and a certificate that signs itself. */
function makeAuthority(name: string): void {
  const subject = ["-subj", `/CN=${name}`, "-days", "2", "-nodes", "-newkey", "ec"];
  const curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"];
  openssl("req", "-x509", ...subject, ...curve, "-keyout", `${name}.key`, "-out", `${name}.pem`);
}

/** A key and a certificate that an authority signs, for 127.0.0.1. */
function makeCertificate(name: string, authority: string): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  openssl("req", ...curve, ...names, "-keyout", `${name}.key`, "-out", `${name}.csr`);
  const by = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
  const copy = ["-copy_extensions", "copy", "-days", "2"];
  openssl("x509", "-req", "-in", `${name}.csr`, ...by, ...copy, "-out", `${name}.pem`);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-e2e-tls-"));
  makeAuthority("authority");
  makeAuthority("stranger");
  makeCertificate("server", "authority");
  makeCertificate("client", "authority");
  makeCertificate("foreigner", "stranger");
  daemon = await startDaemon({
    args: [
      ...["--listen", "0.0.0.0:0", "--tls-cert", file("server.pem"), "--tls-key"],
      ...[file("server.key"), "--tls-client-ca", file("authority.pem")],
    ],
  });
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await removeTree(directory);
});

/** What a client needs to show that it is `name`. */
async function identity(name: string | undefined) {
  const ca = await readFile(file("authority.pem"));
  if (name === undefined) return { ca };
  return {
    ca,
    cert: await readFile(file(`${name}.pem`)),
    key: await readFile(file(`${name}.key`)),
  };
}

function get(path: string, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const target = { host: "127.0.0.1", port: daemon.port, path, agent: false };
    request({ ...target, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.once("end", () => resolve(`HTTP/${response.httpVersion} ${text}`));
    })
      .once("error", reject)
      .end();
  });
}

describe("a daemon with TLS and client certificates", () => {
  it("says https, and serves clients that its authority has signed", async () => {
    expect(daemon.addresses[0]).toBe(`https://0.0.0.0:${daemon.port}`);
    expect(await get("/readyz", await identity("client"))).toBe("HTTP/1.1 ready\n");
  });

  it("serves gRPC by HTTP/2", async () => {
    const session = connect(`https://127.0.0.1:${daemon.port}`, await identity("client"));
    const stream = session.request({
      ":method": "POST",
      ":path": STAT,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(new Uint8Array(5));
    const status = await new Promise((resolve, reject) => {
      stream.once("error", reject);
      stream.once("response", (headers) => resolve(headers["grpc-status"]));
    });
    session.destroy();
    // An empty digest.
    expect(status).toBe("3");
  });

  it.each([
    ["without a certificate", undefined],
    ["with one of another authority", "foreigner"],
  ])("refuses clients %s", async (_, name) => {
    await expect(get("/healthz", await identity(name))).rejects.toThrow();
  });

  it("refuses clients without TLS", async () => {
    await expect(fetch(`http://127.0.0.1:${daemon.port}/healthz`)).rejects.toThrow();
  });
});

describe("files of TLS that do not fit", () => {
  it.each([
    ["a key of another certificate", "server.pem", "client.key", /cannot be used for TLS: .*key/],
    ["a key as certificate", "server.key", "server.key", /cannot be used for TLS: /],
    ["a file that is not PEM", "server.pem", "authority.srl", /authority.srl is not a PEM file/],
  ])("are refused: %s", async (_, cert, key, message) => {
    const { status, stderr } = await runProgram(TVIX, [
      ...["daemon", "--data-dir", file("data"), "--listen", "127.0.0.1:0"],
      ...["--tls-cert", file(cert), "--tls-key", file(key)],
    ]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
