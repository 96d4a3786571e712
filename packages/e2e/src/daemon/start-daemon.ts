import { spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../cli/remove-tree.js";
import { TVIX } from "../cli/tvix.js";

export interface StartDaemonOptions {
  /** Behind `tvix daemon --data-dir D`; without `--listen` among them, on any free port of loopback. */
  readonly args?: readonly string[];
  /** On top of the environment of this process, without its TVIX_ and OTEL_ variables. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** One that is there already, and stays. By default the daemon gets one that goes with it. */
  readonly dataDirectory?: string;
  /** A program that becomes the daemon, and its arguments: `ip netns exec NAME`. */
  readonly through?: readonly string[];
  /** Is told the process before it is ready. */
  readonly onStart?: (pid: number) => void;
}

interface DaemonExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A daemon that serves. */
export interface Daemon extends AsyncDisposable {
  /** Of its first TCP address; "" and 0 where it has none. */
  readonly host: string;
  readonly port: number;
  /** `http://HOST:PORT`, `https://HOST:PORT` with TLS. */
  readonly url: string;
  /** All addresses, as the ready line names them. */
  readonly addresses: readonly string[];
  readonly socketPath: string;
  readonly dataDirectory: string;
  /** Of the process that serves. */
  readonly pid: number;
  /** What it wrote to standard error so far. */
  log(): string;
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<DaemonExit>;
  /** Asks it to end and waits. */
  stop(): Promise<DaemonExit>;
}

/** How long a start may take: other tests may use both cores. */
const START_MS = 60_000;

/** Starts the real `tvix daemon` and waits until it says that it is ready. */
export async function startDaemon(options: StartDaemonOptions = {}): Promise<Daemon> {
  const own = options.dataDirectory === undefined;
  const dataDirectory =
    options.dataDirectory ?? (await mkdtemp(join(tmpdir(), "tvix-e2e-daemon-")));
  const args = options.args ?? [];
  const listen = args.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const [program = TVIX, ...before] = [...(options.through ?? []), TVIX];
  const child = spawn(
    program,
    [
      ...[...before, "daemon"],
      ...["--data-dir", dataDirectory, "--log-format", "json"],
      ...[...listen, ...args],
    ],
    { env: daemonEnvironment(options.env), stdio: ["ignore", "ignore", "pipe"] },
  );
  options.onStart?.(child.pid ?? 0);
  let log = "";
  const exited = new Promise<DaemonExit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  const ready = new Promise<readonly string[]>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Not ready in time: ${log}`)), START_MS);
    exited.then(
      ({ code, signal }) => reject(new Error(`Ended with ${code ?? signal}: ${log}`)),
      reject,
    );
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      const addresses = readyAddresses(log);
      if (addresses === undefined) return;
      clearTimeout(timer);
      resolve(addresses);
    });
    exited.finally(() => clearTimeout(timer)).catch(() => {});
  });
  const remove = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited.catch(() => {});
    if (own) await removeTree(dataDirectory);
  };
  let addresses: readonly string[];
  try {
    addresses = await ready;
  } catch (error) {
    await remove();
    throw error;
  }
  const url = addresses.find((address) => /^https?:/.test(address)) ?? "";
  const { hostname, port } = url === "" ? { hostname: "", port: "0" } : new URL(url);
  return {
    host: hostname,
    port: Number(port),
    url,
    addresses,
    socketPath: join(dataDirectory, "daemon.sock"),
    dataDirectory,
    pid: child.pid ?? 0,
    log: () => log,
    signal: (name) => void child.kill(name),
    exited,
    async stop() {
      child.kill("SIGTERM");
      return await exited;
    },
    [Symbol.asyncDispose]: remove,
  };
}

/** The environment of a daemon under test: nothing that the one who runs the tests has set. */
export function daemonEnvironment(
  env: Readonly<Record<string, string | undefined>> = {},
): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(TVIX_|OTEL_|LISTEN_|NOTIFY_SOCKET$|NODE_OPTIONS$)/.test(name),
  );
  return { ...Object.fromEntries(inherited), ...env };
}

/** The addresses of the line that says the daemon is ready; `undefined` while there is none. */
function readyAddresses(log: string): readonly string[] | undefined {
  const line = log.split("\n").find((text) => text.startsWith("{") && text.includes('"ready"'));
  if (line === undefined || !line.endsWith("}")) return undefined;
  const { msg, addresses } = JSON.parse(line);
  return msg === "ready" && Array.isArray(addresses) ? addresses : undefined;
}
