import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../cli/remove-tree.js";
import { TVIX } from "../cli/tvix.js";
import { until } from "../cli/until.js";
import { type Daemon, daemonEnvironment, startDaemon } from "./start-daemon.js";

const ACTIVATE = "/usr/bin/systemd-socket-activate";

/** A service manager, as far as it is needed: prints each datagram that comes as a line of JSON. */
const RECEIVER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(json.dumps(s.recv(4096).decode().split("\\n")), flush=True)
`;

let directory: string;
const children: ChildProcess[] = [];
const daemons: Daemon[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-e2e-systemd-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const daemon of daemons.splice(0)) await daemon[Symbol.asyncDispose]();
  await removeTree(directory);
});

/** A port that nobody uses at this moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}

/** Runs the daemon behind sockets that another program has opened; starts with the first connection. */
function activate(sockets: readonly string[], args: readonly string[]) {
  const child = spawn(
    ACTIVATE,
    [
      ...sockets.map((socket) => `--listen=${socket}`),
      ...[TVIX, "daemon", "--data-dir", join(directory, "data"), "--log-format", "json", ...args],
    ],
    { env: daemonEnvironment(), stdio: ["ignore", "ignore", "pipe"] },
  );
  children.push(child);
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, exited, log: () => log };
}

function get(options: { port: number } | { socketPath: string }, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", ...options, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.once("end", () => resolve(text));
    });
    sent.once("error", reject).end();
  });
}

describe("sockets that systemd passes", () => {
  it("are used instead of --listen, and the first connection is not lost", async (context) => {
    if (!existsSync(ACTIVATE)) return context.skip("systemd-socket-activate is not there");
    const port = await freePort();
    const socketPath = join(directory, "passed.sock");
    const { child, exited, log } = activate([`127.0.0.1:${port}`, socketPath], []);
    await until(() => log().includes("Listening on"));
    expect(await get({ port }, "/readyz")).toBe("ready\n");
    expect(await get({ socketPath }, "/readyz")).toBe("ready\n");
    // It answers on passed sockets before it has made its own.
    await until(() => log().includes('"msg":"ready"'));
    expect(await get({ socketPath: join(directory, "data", "daemon.sock") }, "/readyz")).toBe(
      "ready\n",
    );
    expect(log()).toContain(
      `"addresses":["http://127.0.0.1:${port}","unix socket \\"unknown\\"","unix://${directory}/data/daemon.sock"]`,
    );
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  });

  it("are refused where others can reach them, without TLS and authentication", async (context) => {
    if (!existsSync(ACTIVATE)) return context.skip("systemd-socket-activate is not there");
    const port = await freePort();
    const { exited, log } = activate([`0.0.0.0:${port}`], []);
    await until(() => log().includes("Listening on"));
    await expect(get({ port }, "/readyz")).rejects.toThrow();
    expect(await exited).toBe(2);
    expect(log()).toContain(`other machines can reach 0.0.0.0:${port}, which takes TLS`);
  });
});

describe("the service manager", () => {
  it("hears of every step, and of the watchdog", async () => {
    const socket = join(directory, "notify");
    const receiver = spawn("python3", ["-c", RECEIVER, socket], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(receiver);
    const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
    const next = async () => String((await lines.next()).value);
    expect(await next()).toBe("bound");
    const messages: string[][] = [];
    const nextOther = async (): Promise<string[]> => {
      for (;;) {
        const message: string[] = JSON.parse(await next());
        messages.push(message);
        if (message[0] !== "WATCHDOG=1") return message;
      }
    };

    const daemon = await startDaemon({
      env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "100000" },
    });
    daemons.push(daemon);
    expect(await nextOther()).toEqual(["STATUS=Opening its sockets"]);
    expect(await nextOther()).toEqual(["READY=1", "STATUS=Serving"]);
    expect(JSON.parse(await next())).toEqual(["WATCHDOG=1"]);
    daemon.signal("SIGHUP");
    const [reloading, time] = await nextOther();
    expect(reloading).toBe("RELOADING=1");
    expect(time).toMatch(/^MONOTONIC_USEC=\d+$/);
    expect(await nextOther()).toEqual(["READY=1", "STATUS=Serving"]);
    daemon.signal("SIGTERM");
    expect(await nextOther()).toEqual(["STOPPING=1", "STATUS=Waiting for calls to end"]);
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
  });
});
