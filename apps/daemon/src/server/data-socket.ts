import { chmod, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** Name of the socket in the data directory, where commands look for a daemon. */
const SOCKET_NAME = "daemon.sock";

/** Only the owner of the store may connect: whoever may has all of it. */
const SOCKET_MODE = 0o600;

/** Room for a path in struct sockaddr_un, without the zero at its end (unix(7)). */
const MAX_SOCKET_PATH = 107;

/** Where the daemon of a data directory listens. */
function dataSocketPath(dataDirectory: string): string {
  return join(dataDirectory, SOCKET_NAME);
}

/**
 * Listens on the socket of the data directory, in the place of one that a dead daemon has left behind.
 * The caller must hold the store: then no living daemon has one.
 *
 * It is made under another name and takes its own when it has its permissions, so that nobody can
 * connect before.
 *
 * @param listen - listens on a path
 * @returns the path, and what removes it
 */
export async function openDataSocket(
  dataDirectory: string,
  listen: (path: string) => Promise<unknown>,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = dataSocketPath(dataDirectory);
  const early = `${path}.new`;
  if (Buffer.byteLength(early) > MAX_SOCKET_PATH) {
    throw new Error(
      `Cannot listen on ${path}: the path of a socket has at most ${MAX_SOCKET_PATH} bytes; use a data directory with a shorter path`,
    );
  }
  await rm(early, { force: true });
  await listen(early);
  await chmod(early, SOCKET_MODE);
  await rename(early, path);
  return { path, remove: () => rm(path, { force: true }) };
}
