import { execFileSync } from "node:child_process";
import { copyFile, open, rm, writeFile } from "node:fs/promises";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../cli/until.js";
import { Certificates, type Identity } from "./certificates.js";
import { reload, timesSaid } from "./reload.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

let certificates: Certificates;
let daemon: Daemon;
const sessions: ClientHttp2Session[] = [];

const file = (name: string): string => certificates.file(name);

/** An authority `one` with a server and a client, and another, `two`, with its own. */
beforeEach(async () => {
  certificates = await Certificates.create();
  for (const name of ["one", "two"]) {
    certificates.makeAuthority(name);
    certificates.makeCertificate(`server-${name}`, name);
    certificates.makeCertificate(`client-${name}`, name);
  }
  for (const suffix of ["pem", "key"]) {
    await copyFile(file(`server-one.${suffix}`), file(`live.${suffix}`));
  }
  await copyFile(file("one.pem"), file("live-ca.pem"));
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await daemon?.[Symbol.asyncDispose]();
  await certificates.remove();
});

async function start(args: readonly string[] = [], onStart = (_: number) => {}): Promise<void> {
  const tls = ["--tls-cert", file("live.pem"), "--tls-key", file("live.key")];
  daemon = await startDaemon({ args: [...tls, ...args], onStart });
}

/** Puts the files of another name in the place of those that the daemon was given. */
async function renew(name: string): Promise<void> {
  for (const suffix of ["pem", "key"]) {
    await copyFile(file(`server-${name}.${suffix}`), file(`next.${suffix}`));
    await certificates.replace(`live.${suffix}`, `next.${suffix}`);
  }
}

const NOT_RELOADED = "not reloaded, certificates, tokens and signing keys are as they were";

/** Who a new connection meets, after a handshake and a first answer. Fails where it is refused. */
async function meet(identity: Partial<Identity> = {}, session?: Buffer) {
  const socket = connectTls({
    ...{ host: "127.0.0.1", port: daemon.port, rejectUnauthorized: false },
    ...identity,
    session,
  });
  let ticket: Buffer | undefined;
  socket.on("session", (bytes) => {
    ticket = bytes;
  });
  socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  try {
    await answer(socket);
    const resumed = socket.isSessionReused();
    // A session that goes on shows no certificate again.
    const name = resumed ? "" : String(socket.getPeerCertificate().subject.CN);
    return { name, ticket, resumed };
  } finally {
    socket.destroy();
  }
}

function answer(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("data", () => resolve());
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("The connection was closed")));
  });
}

/** A call on a connection that is there. @returns its status of HTTP */
function call(session: ClientHttp2Session): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": "/readyz" });
    stream.once("response", (headers) => resolve(Number(headers[":status"])));
    stream.once("error", reject);
    stream.resume().end();
  });
}

function openSession(): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${daemon.port}`, { rejectUnauthorized: false });
  sessions.push(session);
  return session;
}

describe("a daemon on SIGHUP", () => {
  it("shows new connections the new certificate, and keeps those that are there", async () => {
    await start();
    const early = openSession();
    expect(await call(early)).toBe(200);
    expect((await meet()).name).toBe("server-one");
    await renew("two");
    expect((await meet()).name).toBe("server-one");
    await reload(daemon);
    expect((await meet()).name).toBe("server-two");
    expect(await call(early)).toBe(200);
    const [line] = daemon.log().match(/^.*"msg":"reloaded".*$/m) ?? [];
    const { certificateExpires } = JSON.parse(line ?? "{}");
    const days = (Date.parse(certificateExpires) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(1);
    expect(days).toBeLessThanOrEqual(2);
  });

  it("asks for certificates of the new authority, also those that come back", async () => {
    await start(["--tls-client-ca", file("live-ca.pem")]);
    const [one, two] = [
      await certificates.identity("client-one", "one"),
      await certificates.identity("client-two", "two"),
    ];
    const { ticket } = await meet(one);
    expect(ticket).toBeDefined();
    expect((await meet(one, ticket)).resumed).toBe(true);
    await expect(meet(two)).rejects.toThrow();
    await certificates.replace("live-ca.pem", "two.pem");
    await reload(daemon);
    await expect(meet(one)).rejects.toThrow();
    await expect(meet(one, ticket)).rejects.toThrow();
    expect((await meet(two)).name).toBe("server-one");
  });

  it.each<[string, () => Promise<void>, RegExp]>([
    [
      "a key of another",
      () => certificates.replace("live.key", "server-two.key"),
      /live\.key is not /,
    ],
    ["a file that is gone", () => rm(file("live.pem")), /live\.pem cannot be read/],
    [
      "half a file",
      () => writeFile(file("live.pem"), "-----BEGIN CERT"),
      /live\.pem cannot be used/,
    ],
    ["no authority", () => writeFile(file("live-ca.pem"), ""), /live-ca\.pem cannot be used/],
  ])("keeps what it has when there is %s, and says what is wrong", async (_, spoil, reason) => {
    const tokens = file("tokens");
    await writeFile(tokens, "one read token-that-was-there\n", { mode: 0o600 });
    await start(["--tls-client-ca", file("live-ca.pem"), "--tokens", tokens]);
    const client = await certificates.identity("client-one", "one");
    await spoil();
    // Nothing changes means nothing: neither do the tokens, which are sound.
    await writeFile(tokens, "two read token-of-the-next-day\n");
    await reload(daemon, NOT_RELOADED);
    expect(daemon.log()).toMatch(reason);
    expect((await meet(client)).name).toBe("server-one");
    const lines = daemon.log().split("\n");
    expect(lines.find((line) => line.includes(NOT_RELOADED))).toContain('"level":"error"');
  });

  it("reads what has changed while it started", async () => {
    const fifo = file("tokens");
    execFileSync("mkfifo", ["-m", "600", fifo]);
    let pid = 0;
    const starting = start(["--tokens", fifo], (started) => {
      pid = started;
    });
    // Opens as soon as the daemon wants to read.
    const first = await open(fifo, "w");
    process.kill(pid, "SIGHUP");
    await first.writeFile("one read token-that-was-there\n");
    await first.close();
    const second = writeFile(fifo, "one read token-that-was-there\ntwo read token-of-tomorrow\n");
    await starting;
    await second;
    await until(() => timesSaid(daemon, "reloaded") === 1);
    expect(daemon.log()).toMatch(/"tokens":2.*"msg":"reloaded"|"msg":"reloaded".*"tokens":2/);
  });
});
