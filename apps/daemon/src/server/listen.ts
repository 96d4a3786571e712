import type { BoundAddress, RpcServer } from "@tvix/grpc";
import { ConfigError } from "../config/config-error.js";
import { formatListenAddress, isLoopback } from "../config/listen-address.js";
import { brokenByExposure } from "../config/rules.js";
import type { Settings } from "../config/settings.js";
import type { PassedSocket } from "../systemd/activation.js";
import { openDataSocket } from "./data-socket.js";

/** What is listened on. */
export interface Listening {
  /** For people and programs: `http://HOST:PORT`, `https://HOST:PORT`, `unix:///PATH`. */
  readonly addresses: readonly string[];
  /** Takes the socket of the data directory away. */
  removeSocket(): Promise<void>;
}

/**
 * Listens on the socket of the data directory and on the sockets that were passed; where none was, on the
 * addresses of the settings.
 *
 * @throws the error of the system with the address in its message; {@link ConfigError} for a passed socket
 * that other machines can reach and must not
 */
export async function listenEverywhere(
  server: RpcServer,
  settings: Settings,
  passed: readonly PassedSocket[],
): Promise<Listening> {
  const scheme = settings["tls.cert"] === undefined ? "http" : "https";
  const addresses: string[] = [];
  for (const { fd, name } of passed) {
    const address = await named(`the passed socket ${name}`, () => server.listen({ fd }));
    refuseExposure(address, settings, name);
    addresses.push(textOf(address, scheme, name));
  }
  for (const at of passed.length === 0 ? settings.listen : []) {
    const address = await named(formatListenAddress(at), () => server.listen(at));
    addresses.push(textOf(address, scheme));
  }
  // The last, so that none stays behind when one of the others cannot be had.
  const socket = await openDataSocket(settings["data-dir"], (path) => server.listen({ path }));
  addresses.push(`unix://${socket.path}`);
  return { addresses, removeSocket: socket.remove };
}

async function named(address: string, listen: () => Promise<BoundAddress>): Promise<BoundAddress> {
  try {
    return await listen();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot listen on ${address}: ${reason}`, { cause });
  }
}

/** Which address a socket has is known only once it is there. */
function refuseExposure(address: BoundAddress, settings: Settings, name: string): void {
  if (address.transport === "unix" || isLoopback(address.host)) return;
  const problem = brokenByExposure(settings, formatListenAddress(address));
  if (problem !== undefined) throw new ConfigError([`the passed socket ${name}: ${problem}`]);
}

/** @param name - of the passed socket: Node does not tell the path of one that it did not open itself */
function textOf(address: BoundAddress, scheme: string, name?: string): string {
  if (address.transport === "tcp") return `${scheme}://${formatListenAddress(address)}`;
  return address.path === "" ? `unix socket "${name ?? ""}"` : `unix://${address.path}`;
}
