import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { unixSocketAddress } from "./socket-address.js";

/** Tells the service manager how the daemon is, sd_notify(3). */
export interface Notifier {
  /** Sends `READY=1` and the like. A message that cannot be sent is lost: nobody is there to be told. */
  notify(...lines: readonly string[]): Promise<void>;
  /** How often it wants to hear `WATCHDOG=1`, in milliseconds; `undefined` for never. */
  readonly watchdogMs: number | undefined;
}

const SILENT: Notifier = { notify: async () => {}, watchdogMs: undefined };

/**
 * The notifier of the environment: silent unless `NOTIFY_SOCKET` is set, which is taken out of the
 * environment.
 *
 * The messages are datagrams of Unix sockets, which Node cannot send. With the optional addon koffi they are
 * sent by calling the C library; without, the program `systemd-notify` is run for each, which
 * needs `NotifyAccess=all` in the unit.
 */
export function createNotifier(env: NodeJS.ProcessEnv, pid: number): Notifier {
  const socket = env["NOTIFY_SOCKET"];
  const watchdogMs = watchdogInterval(env, pid);
  delete env["NOTIFY_SOCKET"];
  delete env["WATCHDOG_USEC"];
  delete env["WATCHDOG_PID"];
  if (socket === undefined || socket === "") return SILENT;
  const send = datagramSender(socket) ?? programSender(socket, env, pid);
  return { notify: (...lines) => send(lines), watchdogMs };
}

/** `WATCHDOG_USEC` in milliseconds, if it is meant for this process. */
function watchdogInterval(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC, WATCHDOG_PID } = env;
  if (WATCHDOG_USEC === undefined || !/^\d{4,15}$/.test(WATCHDOG_USEC)) return undefined;
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return undefined;
  return Number(WATCHDOG_USEC) / 1000;
}

type Send = (lines: readonly string[]) => Promise<void>;

/** socket(2), Linux: AF_UNIX and SOCK_DGRAM, closed when another program is run. */
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0x80002;

/** `undefined` where there is no koffi, no glibc, or the address is not that of a Unix socket. */
function datagramSender(socket: string): Send | undefined {
  const address = unixSocketAddress(socket);
  if (process.platform !== "linux" || address === undefined) return undefined;
  const libc = loadLibc();
  const descriptor = libc?.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0) ?? -1;
  if (libc === undefined || descriptor < 0) return undefined;
  return async (lines) => {
    const message = new TextEncoder().encode(lines.join("\n"));
    libc.sendto(descriptor, message, message.byteLength, 0, address, address.byteLength);
  };
}

/** The functions of the C library that are called, with the types that the declarations below give them. */
interface Libc {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly sendto: (
    descriptor: number,
    message: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number;
}

/** The part of the package `koffi` that is used. */
interface KoffiModule {
  load(library: null): { func(declaration: string): unknown };
}

function loadLibc(): Libc | undefined {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as KoffiModule;
    const libc = koffi.load(null);
    return {
      socket: libc.func("int socket(int, int, int)"),
      sendto: libc.func("long sendto(int, void *, size_t, int, void *, unsigned int)"),
    } as Libc;
  } catch {
    // The addon is optional: the program does as well.
    return undefined;
  }
}

function programSender(socket: string, env: NodeJS.ProcessEnv, pid: number): Send {
  return (lines) =>
    new Promise((resolve) => {
      const options = { env: { ...env, NOTIFY_SOCKET: socket } };
      const child = execFile("systemd-notify", [`--pid=${pid}`, ...lines], options, () =>
        resolve(),
      );
      child.unref();
    });
}
