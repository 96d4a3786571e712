import { existsSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { removeTree } from "../cli/remove-tree.js";
import { TVIX } from "../cli/tvix.js";
import { until } from "../cli/until.js";
import { type RawUpload, startUpload } from "./raw-upload.js";
import { runProgram } from "./run.js";
import { type Daemon, type StartDaemonOptions, startDaemon } from "./start-daemon.js";

const daemons: Daemon[] = [];
const uploads: RawUpload[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const upload of uploads.splice(0)) upload.close();
  for (const daemon of daemons.splice(0)) await daemon[Symbol.asyncDispose]();
  for (const directory of directories.splice(0)) await removeTree(directory);
});

async function start(options: StartDaemonOptions = {}): Promise<Daemon> {
  const daemon = await startDaemon(options);
  daemons.push(daemon);
  return daemon;
}

function upload(daemon: Daemon): RawUpload {
  const started = startUpload(daemon.url);
  uploads.push(started);
  return started;
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tvix-e2e-life-"));
  directories.push(directory);
  return directory;
}

/** `STATUS text` of a page. */
async function get(url: string): Promise<string> {
  const response = await fetch(url);
  return `${response.status} ${await response.text()}`;
}

/** The same over a socket. */
function getOverSocket(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.once("end", () => resolve(`${response.statusCode} ${text}`));
    });
    sent.once("error", reject).end();
  });
}

/** Waits until the daemon runs a call. */
async function untilRunning(daemon: Daemon): Promise<void> {
  const line = 'tvix_rpc_running_calls{method="tvix.castore.v1.BlobService/Put"} 1';
  for (;;) {
    if ((await get(`${daemon.url}/metrics`)).includes(line)) return;
  }
}

/** Waits until the daemon takes no connections any more. */
async function untilClosed({ host, port }: Daemon): Promise<void> {
  const connects = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, host);
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
  while (await connects());
}

describe("tvix daemon", () => {
  it("says where it serves, and serves there", async () => {
    const daemon = await start();
    expect(daemon.addresses).toEqual([
      `http://127.0.0.1:${daemon.port}`,
      `unix://${daemon.socketPath}`,
    ]);
    expect(daemon.log().trimEnd().split("\n")).toHaveLength(1);
    expect(await get(`${daemon.url}/healthz`)).toBe("200 ok\n");
    expect(await get(`${daemon.url}/readyz`)).toBe("200 ready\n");
    expect(await get(`${daemon.url}/nowhere`)).toBe("404 not found\n");
    expect(await getOverSocket(daemon.socketPath, "/readyz")).toBe("200 ready\n");
    const metrics = await get(`${daemon.url}/metrics`);
    expect(metrics).toContain(
      'tvix_rpc_calls_total{method="tvix.castore.v1.BlobService/Put",code="ok"} 0',
    );
    expect(metrics).toContain("process_resident_memory_bytes");
    expect(metrics).toMatch(/^tvix_connections\{transport="tcp"\} [1-9]/m);
    expect(metrics).toContain('tvix_connections_total{transport="unix"} 1');
  });

  it("counts what was called", async () => {
    const daemon = await start();
    const one = upload(daemon);
    await one.send(Buffer.from("x86_64-linux"));
    one.end();
    const { status, bytes } = await one.ended;
    expect(status).toBe(0);
    // Behind five bytes of gRPC and two of protobuf: the digest.
    expect(Buffer.from(bytes.subarray(7)).toString("base64")).toBe(
      "KOM3/IHEx7YfInAnlJpAElYezq0Sxn9fRz7xuClwNfA=",
    );
    const metrics = await get(`${daemon.url}/metrics`);
    expect(metrics).toMatch(
      /^tvix_rpc_calls_total\{method="tvix.castore.v1.BlobService\/Put",code="ok"\} 1$/m,
    );
    expect(metrics).toMatch(
      /^tvix_rpc_received_bytes_total\{method="tvix.castore.v1.BlobService\/Put"\} [1-9]/m,
    );
    expect(metrics).toMatch(/^tvix_store_records_total\{state="added"\} 1$/m);
  });

  it("serves no metrics where they are off", async () => {
    const daemon = await start({ args: ["--no-metrics"] });
    expect(await get(`${daemon.url}/metrics`)).toBe("404 not found\n");
  });

  it("can do with its socket alone, which only its owner may use", async () => {
    const daemon = await start({ args: ["--listen", "none"] });
    expect(daemon.addresses).toEqual([`unix://${daemon.socketPath}`]);
    expect(statSync(daemon.socketPath).mode & 0o777).toBe(0o600);
    expect(await getOverSocket(daemon.socketPath, "/healthz")).toBe("200 ok\n");
  });
});

describe("a signal", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "%s ends a daemon that has nothing to do",
    async (name) => {
      const daemon = await start();
      daemon.signal(name);
      expect(await daemon.exited).toEqual({ code: 0, signal: null });
      expect(daemon.log()).toContain('"msg":"stopped"');
      expect(existsSync(daemon.socketPath)).toBe(false);
    },
  );

  it("lets an upload in flight end, and takes no new ones", async () => {
    const daemon = await start();
    const one = upload(daemon);
    await one.send(Buffer.from("first half, "));
    await untilRunning(daemon);
    daemon.signal("SIGTERM");
    await untilClosed(daemon);
    await one.send(Buffer.from("second half"));
    one.end();
    expect(await one.ended).toMatchObject({ status: 0 });
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    expect(daemon.log()).toContain('"calls":1');
  });

  it("fails an upload that takes longer than the grace time, and ends well", async () => {
    const daemon = await start({ args: ["--shutdown-grace", "100ms"] });
    const sound = upload(daemon);
    await sound.send(Buffer.from("ends"));
    sound.end();
    expect(await sound.ended).toMatchObject({ status: 0 });
    const one = upload(daemon);
    await one.send(Buffer.from("never ends"));
    await untilRunning(daemon);
    daemon.signal("SIGTERM");
    expect(await one.ended).toMatchObject({ status: 14 });
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    const check = await runProgram(TVIX, ["check", "-q", "--data-dir", daemon.dataDirectory]);
    expect({ ...check, stdout: check.stdout.toString() }).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("ends it at once the second time", async () => {
    const daemon = await start({ args: ["--shutdown-grace", "1h"] });
    const one = upload(daemon);
    await one.send(Buffer.from("never ends"));
    await untilRunning(daemon);
    daemon.signal("SIGTERM");
    await until(() => daemon.log().includes('"msg":"stopping"'));
    daemon.signal("SIGTERM");
    expect(await daemon.exited).toEqual({ code: null, signal: "SIGTERM" });
    expect((await one.ended).status).not.toBe(0);
  });
});

describe("a data directory", () => {
  it("has one daemon: a second one says who the first is", async () => {
    const daemon = await start();
    const outcome = await runProgram(TVIX, [
      ...["daemon", "--listen", "127.0.0.1:0", "--data-dir", daemon.dataDirectory],
    ]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toMatch(
      new RegExp(
        `^tvix: cannot serve the store in ${daemon.dataDirectory}: process ${daemon.pid} \\(tvix daemon .*\\) is writing to it\\n$`,
      ),
    );
    expect(await getOverSocket(daemon.socketPath, "/readyz")).toBe("200 ready\n");
  });

  it("gets a new socket after a daemon was killed, and keeps what was acknowledged", async () => {
    const dataDirectory = await scratch();
    const first = await start({ dataDirectory });
    const one = upload(first);
    await one.send(Buffer.from("x86_64-linux"));
    one.end();
    expect((await one.ended).status).toBe(0);
    first.signal("SIGKILL");
    await first.exited;
    expect(existsSync(first.socketPath)).toBe(true);
    await expect(getOverSocket(first.socketPath, "/readyz")).rejects.toThrow("ECONNREFUSED");

    const second = await start({ dataDirectory });
    expect(await getOverSocket(second.socketPath, "/readyz")).toBe("200 ready\n");
    const stat = await fetch(`${second.url}/tvix.castore.v1.BlobService/Stat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ digest: "KOM3/IHEx7YfInAnlJpAElYezq0Sxn9fRz7xuClwNfA=" }),
    });
    expect(stat.status).toBe(200);
  });

  it("whose path is too long for a socket is refused", async () => {
    const dataDirectory = join(await scratch(), "d".repeat(100));
    const outcome = await runProgram(TVIX, [
      "daemon",
      "--listen",
      "none",
      "--data-dir",
      dataDirectory,
    ]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain("the path of a socket has at most 107 bytes");
  });
});

describe("an address that is taken", () => {
  it("is named", async () => {
    const daemon = await start();
    const address = `127.0.0.1:${daemon.port}`;
    const dataDirectory = await scratch();
    const outcome = await runProgram(TVIX, [
      "daemon",
      "--listen",
      address,
      "--data-dir",
      dataDirectory,
    ]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toMatch(`tvix: cannot listen on ${address}: `);
    expect(existsSync(join(dataDirectory, "daemon.sock"))).toBe(false);
  });
});
