import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNotifier } from "./notifier.js";
import { unixSocketAddress } from "./socket-address.js";

/** A service manager, as far as it is needed: prints each datagram that comes, on a line. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1) if sys.argv[1].startswith("@") else sys.argv[1])
print("bound", flush=True)
while True:
    print(repr(s.recv(4096).decode()), flush=True)
`;

const hasPython = spawnSync("python3", ["--version"]).status === 0;

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-daemon-notify-"));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** Listens on a socket; the function returns the next line. */
async function receive(socket: string): Promise<() => Promise<string>> {
  const child = spawn("python3", ["-c", RECEIVER, socket], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  expect(await next()).toBe("bound");
  return next;
}

describe("createNotifier()", () => {
  it.each(["path", "abstract"] as const)(
    "sends one datagram for each message (%s)",
    async (kind) => {
      if (!hasPython) throw new Error("python3 is needed");
      const socket = kind === "path" ? join(directory, "n") : `@tvix-daemon-test-${process.pid}`;
      const next = await receive(socket);
      const env = { NOTIFY_SOCKET: socket, PATH: process.env["PATH"] };
      const notifier = createNotifier(env, process.pid);
      expect(env).toEqual({ PATH: process.env["PATH"] });
      await notifier.notify("READY=1", "STATUS=Serving");
      expect(await next()).toBe("'READY=1\\nSTATUS=Serving'");
      await notifier.notify("STOPPING=1");
      expect(await next()).toBe("'STOPPING=1'");
    },
  );

  it("is silent where nobody listens", async () => {
    await createNotifier({}, 1).notify("READY=1");
    await createNotifier({ NOTIFY_SOCKET: "" }, 1).notify("READY=1");
    await createNotifier({ NOTIFY_SOCKET: join(directory, "nobody") }, 1).notify("READY=1");
  });

  it.each([
    [{ WATCHDOG_USEC: "30000000" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 30_000],
    [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, undefined],
    [{ WATCHDOG_USEC: "soon" }, undefined],
    [{}, undefined],
  ])("understands %j", (env, expected) => {
    const socket = { NOTIFY_SOCKET: join(directory, "nobody") };
    expect(createNotifier({ ...env, ...socket }, 7).watchdogMs).toBe(expected);
    expect(createNotifier({ ...env }, 7).watchdogMs).toBeUndefined();
  });
});

describe("unixSocketAddress()", () => {
  const text = (name: string) => {
    const address = unixSocketAddress(name);
    return address && Buffer.from(address.subarray(2)).toString("latin1");
  };

  it("ends a path with a zero, and begins an abstract name with one", () => {
    expect(text("/run/n")).toBe("/run/n\0");
    expect(text("@n")).toBe("\0n");
  });

  it.each(["vsock:2:1", "relative", "", `/${"x".repeat(107)}`])("refuses %j", (name) => {
    expect(unixSocketAddress(name)).toBeUndefined();
  });
});
