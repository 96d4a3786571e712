import { chmodSync, lstatSync, type Stats, unlinkSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { FuseError } from "../errors.js";
import { type Koffi, requireKoffi } from "../native/koffi.js";
import { LINUX, libcOf } from "../native/libc.js";
import { type StopWatching, watchReadable } from "../native/watch-readable.js";
import { systemCallsOf, VIRTIOFS_LINUX } from "./system-calls.js";
import { VirtiofsChannel } from "./virtiofs-channel.js";

/** Where to listen, and what to do with who comes. */
export interface VirtiofsServerOptions {
  /** Path of the socket; at most 107 bytes. */
  readonly socketPath: string;
  /** A virtual machine connected. The channel is served by whoever is called; closing it is fine, too. */
  onConnection(channel: VirtiofsChannel): void;
  /** What went wrong and did not end anything. */
  onProblem?: (error: unknown) => void;
}

/** Connections that wait to be accepted. */
const BACKLOG = 16;

/** How long nobody is accepted after that failed (no more descriptors), in milliseconds. */
const ACCEPT_PAUSE_MS = 1000;

/** Who connects to the socket is a front-end: it can read all that the store shows, so nobody else may. */
const SOCKET_MODE = 0o600;

/** Waits for virtual machines at a Unix socket. */
export class VirtiofsServer {
  readonly #koffi: Koffi;
  readonly #fd: number;
  readonly #options: VirtiofsServerOptions;
  readonly #socketStat: Stats;
  #stop: StopWatching | undefined;
  #pause: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(koffi: Koffi, fd: number, options: VirtiofsServerOptions) {
    this.#koffi = koffi;
    this.#fd = fd;
    this.#options = options;
    this.#socketStat = lstatSync(options.socketPath);
    this.#watch();
  }

  /**
   * Listens. A socket of that name to which nobody answers any more is replaced.
   *
   * @throws {@link FuseError} with code "BUSY" when somebody answers there, "INVALID_ARGUMENT" when the path is too long
   *   or something else has it, "UNSUPPORTED" without koffi, "SYSTEM" when the system refuses
   */
  static listen(options: VirtiofsServerOptions): VirtiofsServer {
    const koffi = requireKoffi("Cannot serve virtio-fs");
    const { socketPath } = options;
    const address = socketAddress(socketPath);
    removeStale(koffi, socketPath, address);
    const fd = openSocket(koffi);
    try {
      const calls = systemCallsOf(koffi);
      if (calls.bind(fd, address, address.length) !== 0) throw failure(koffi, socketPath);
      // Nobody can connect before listen().
      chmodSync(socketPath, SOCKET_MODE);
      if (calls.listen(fd, BACKLOG) !== 0) throw failure(koffi, socketPath);
      return new VirtiofsServer(koffi, fd, options);
    } catch (error) {
      libcOf(koffi).close(fd);
      throw error;
    }
  }

  /** Accepts nobody any more and removes the socket. Channels go on. Again is a no-op. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#pause);
    this.#stop?.();
    libcOf(this.#koffi).close(this.#fd);
    const { socketPath } = this.#options;
    const stat = lstatSync(socketPath, { throwIfNoEntry: false });
    // Somebody else may have put theirs there.
    if (stat?.ino === this.#socketStat.ino && stat.dev === this.#socketStat.dev) {
      unlinkSync(socketPath);
    }
  }

  #watch(): void {
    this.#stop = watchReadable(this.#koffi, this.#fd, () => this.#accept());
  }

  #accept(): void {
    const flags = LINUX.SOCK_CLOEXEC | LINUX.O_NONBLOCK;
    const fd = systemCallsOf(this.#koffi).accept4(this.#fd, null, null, flags);
    if (fd >= 0) {
      this.#options.onConnection(new VirtiofsChannel(this.#koffi, fd, this.#options));
      return;
    }
    const errno = libcOf(this.#koffi).errno();
    if ([LINUX.EAGAIN, LINUX.EINTR, LINUX.ECONNABORTED].some((code) => code === errno)) return;
    this.#options.onProblem?.(failure(this.#koffi, this.#options.socketPath));
    this.#stop?.();
    this.#pause = setTimeout(() => this.#watch(), ACCEPT_PAUSE_MS);
  }
}

function openSocket(koffi: Koffi): number {
  const type = LINUX.SOCK_STREAM | LINUX.SOCK_CLOEXEC | LINUX.O_NONBLOCK;
  const fd = systemCallsOf(koffi).socket(LINUX.AF_UNIX, type, 0);
  if (fd >= 0) return fd;
  throw new FuseError("SYSTEM", `Cannot open a socket: errno ${libcOf(koffi).errno()}`);
}

/** A `struct sockaddr_un`: the family, and the path with a zero byte at its end. */
function socketAddress(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(path);
  if (bytes.length === 0 || bytes.length >= VIRTIOFS_LINUX.SUN_PATH_LENGTH || bytes.includes(0)) {
    throw new FuseError(
      "INVALID_ARGUMENT",
      `Cannot listen at ${JSON.stringify(path)}: a socket has a path of 1 to ${VIRTIOFS_LINUX.SUN_PATH_LENGTH - 1} bytes`,
    );
  }
  const address = new Uint8Array(new ArrayBuffer(2 + bytes.length + 1));
  address[0] = LINUX.AF_UNIX;
  address.set(bytes, 2);
  return address;
}

function removeStale(koffi: Koffi, path: string, address: Uint8Array): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new FuseError("INVALID_ARGUMENT", `Cannot listen at ${path}: it is no socket`);
  }
  if (isAnswered(koffi, address)) throw busy(path);
  unlinkSync(path);
}

function isAnswered(koffi: Koffi, address: Uint8Array): boolean {
  const fd = openSocket(koffi);
  try {
    if (systemCallsOf(koffi).connect(fd, address, address.length) === 0) return true;
    // Any other failure, as a queue that is full, is not one of a socket that nobody has.
    return libcOf(koffi).errno() !== VIRTIOFS_LINUX.ECONNREFUSED;
  } finally {
    libcOf(koffi).close(fd);
  }
}

function failure(koffi: Koffi, path: string): FuseError {
  const errno = libcOf(koffi).errno();
  if (errno === VIRTIOFS_LINUX.EADDRINUSE) return busy(path);
  return new FuseError("SYSTEM", `Cannot listen at ${path}: ${getSystemErrorName(-errno)}`);
}

function busy(path: string): FuseError {
  return new FuseError("BUSY", `Cannot listen at ${path}: another process does`);
}
