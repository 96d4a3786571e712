import { connect } from "node:http2";
import { type RequestOptions, request } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TVIX } from "../cli/tvix.js";
import { Certificates } from "./certificates.js";
import { runProgram } from "./run.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const NOT_ITS_KEY = /client\.key is not the key of the certificate in \S+\/server\.pem\n$/;
const STAT = "/tvix.castore.v1.BlobService/Stat";

let certificates: Certificates;
let daemon: Daemon;

const file = (name: string): string => certificates.file(name);
const identity = (name: string | undefined) => certificates.identity(name, "authority");

beforeAll(async () => {
  certificates = await Certificates.create();
  certificates.makeAuthority("authority");
  certificates.makeAuthority("stranger");
  certificates.makeCertificate("server", "authority");
  certificates.makeCertificate("client", "authority");
  certificates.makeCertificate("foreigner", "stranger");
  daemon = await startDaemon({
    args: [
      ...["--listen", "0.0.0.0:0", "--tls-cert", file("server.pem"), "--tls-key"],
      ...[file("server.key"), "--tls-client-ca", file("authority.pem")],
    ],
  });
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await certificates?.remove();
});

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
    ["a key of another certificate", "server.pem", "client.key", NOT_ITS_KEY],
    [
      "a key as certificate",
      "server.key",
      "server.key",
      /server\.key cannot be used: there is no c/,
    ],
    [
      "a certificate as key",
      "server.pem",
      "server.pem",
      /server\.pem cannot be used: there is no p/,
    ],
    [
      "a key that is not PEM",
      "server.pem",
      "authority.srl",
      /authority\.srl cannot be used: there /,
    ],
  ])("are refused: %s", async (_, cert, key, message) => {
    const { status, stderr } = await runProgram(TVIX, [
      ...["daemon", "--data-dir", file("data"), "--listen", "127.0.0.1:0"],
      ...["--tls-cert", file(cert), "--tls-key", file(key)],
    ]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
