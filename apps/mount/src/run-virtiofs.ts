import {
  type FileSystem,
  type OnError,
  Session,
  type VirtiofsChannel,
  VirtiofsServer,
} from "@tvix/fuse";
import type { MountHost } from "./mount-host.js";

/** Virtual machines at once. Each keeps a cache of its own. */
const MAX_MACHINES = 64;

/** How virtual machines are served. */
export interface RunVirtiofsOptions {
  /** Makes the file system of a machine: each has its own, which knows what that machine remembers. */
  readonly createFileSystem: () => FileSystem;
  /** Called as soon as machines can connect. */
  readonly onReady?: () => void;
  /** Is told what a file system failed at, see {@link SessionOptions}. */
  readonly onError?: OnError;
}

/**
 * Serves file systems to virtual machines that connect to a socket, until the host's signal asks for the end. The socket
 * is removed when it returns.
 *
 * @throws {@link FuseError} when nobody can connect there
 */
export async function runVirtiofs(
  socketPath: string,
  host: MountHost,
  options: RunVirtiofsOptions,
): Promise<void> {
  const machines = new Machines(host, options);
  const server = VirtiofsServer.listen({
    socketPath,
    onConnection: (channel) => machines.add(channel),
    onProblem: (error) => machines.note(error),
  });
  try {
    options.onReady?.();
    await aborted(host.signal);
  } finally {
    server.close();
    await machines.end();
  }
}

/** Those that are connected. */
class Machines {
  readonly #host: MountHost;
  readonly #options: RunVirtiofsOptions;
  readonly #sessions = new Set<Session>();

  constructor(host: MountHost, options: RunVirtiofsOptions) {
    this.#host = host;
    this.#options = options;
  }

  add(channel: VirtiofsChannel): void {
    if (this.#sessions.size >= MAX_MACHINES) {
      this.#host.note(`a virtual machine is turned away: ${MAX_MACHINES} are connected`);
      channel.close();
      return;
    }
    const { createFileSystem, onError } = this.#options;
    const options = onError === undefined ? {} : { onError };
    const session = new Session(channel, createFileSystem(), options);
    this.#sessions.add(session);
    session
      .serve()
      .catch((error: unknown) => this.note(error))
      .finally(() => this.#sessions.delete(session));
  }

  /** Lets requests end, for a moment, then closes all connections. */
  async end(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.close()));
  }

  note(error: unknown): void {
    this.#host.note(error instanceof Error ? error.message : String(error));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((settle) => {
    if (signal.aborted) settle();
    else signal.addEventListener("abort", () => settle(), { once: true });
  });
}
