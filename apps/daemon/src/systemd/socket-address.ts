import { endianness } from "node:os";

/** AF_UNIX of Linux, socket(2). */
const AF_UNIX = 1;

/** Room for the path in struct sockaddr_un, unix(7). */
const MAX_PATH_BYTES = 108;

/**
 * `NOTIFY_SOCKET` as a struct sockaddr_un: the family in two bytes of the machine's order, then the path and a
 * zero; a name that begins with `@` is an abstract one, which begins with a zero and has none at its end.
 *
 * @returns `undefined` for what is neither, such as a vsock address
 */
export function unixSocketAddress(name: string): Uint8Array | undefined {
  const isAbstract = name.startsWith("@");
  if (!isAbstract && !name.startsWith("/")) return undefined;
  const path = new TextEncoder().encode(isAbstract ? `\0${name.slice(1)}` : `${name}\0`);
  if (path.byteLength > MAX_PATH_BYTES) return undefined;
  const address = new Uint8Array(2 + path.byteLength);
  new DataView(address.buffer).setUint16(0, AF_UNIX, endianness() === "LE");
  address.set(path, 2);
  return address;
}
