/** Where a gRPC service is, as text: `grpc+http://HOST:PORT`, `grpc+https://HOST:PORT`, `grpc+unix:///PATH`. */

/** A parsed address. */
export type RpcAddress =
  | {
      readonly transport: "tcp";
      /** Name or address; IPv6 without brackets. */
      readonly host: string;
      readonly port: number;
      readonly encrypted: boolean;
    }
  | { readonly transport: "unix"; readonly path: string };

/** What is wrong with an address. */
export type RpcAddressReason =
  | "syntax"
  | "scheme"
  | "credentials"
  | "host"
  | "port"
  | "path"
  | "query";

/** An address that cannot be parsed. Branch on `reason`. */
export class RpcAddressError extends Error {
  override readonly name: string = "RpcAddressError";
  readonly reason: RpcAddressReason;
  readonly address: string;

  constructor(reason: RpcAddressReason, address: string, problem: string) {
    super(`Cannot parse address ${JSON.stringify(address)}: ${problem}`);
    this.reason = reason;
    this.address = address;
  }
}

/**
 * Parses an address strictly: the port must be there, and nothing is ignored.
 *
 * @throws RpcAddressError
 */
export function parseRpcAddress(address: string): RpcAddress {
  const fail = (reason: RpcAddressReason, problem: string): never => {
    throw new RpcAddressError(reason, address, problem);
  };
  const [, scheme, authority = "", rest = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/s.exec(address) ??
    fail("syntax", "it must look like grpc+http://HOST:PORT or grpc+unix:///PATH");
  const [path = "", query] = splitOnce(rest);
  if (query !== undefined) {
    fail("query", `${JSON.stringify(query)} has no meaning`);
  }
  if (scheme === "grpc+unix") {
    return unixAddress(authority, path, fail);
  }
  if (scheme !== "grpc+http" && scheme !== "grpc+https") {
    return fail("scheme", "the scheme must be grpc+http, grpc+https or grpc+unix");
  }
  if (path !== "" && path !== "/") {
    fail("path", "a path has no meaning after a host");
  }
  return { ...tcpAddress(authority, fail), encrypted: scheme === "grpc+https" };
}

/** The address as text; {@link parseRpcAddress} gives it back. */
export function formatRpcAddress(address: RpcAddress): string {
  if (address.transport === "unix") {
    return `grpc+unix://${address.path.split("/").map(encodeURIComponent).join("/")}`;
  }
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `grpc+${address.encrypted ? "https" : "http"}://${host}:${address.port}`;
}

type Fail = (reason: RpcAddressReason, problem: string) => never;

function unixAddress(authority: string, path: string, fail: Fail): RpcAddress {
  if (authority !== "") {
    return fail("host", "a unix socket has no host; write three slashes");
  }
  const decoded = decodePath(path);
  if (decoded === undefined || decoded.length < 2 || decoded.includes("\0")) {
    return fail("path", "the path of a unix socket must be absolute, with valid percent escapes");
  }
  return { transport: "unix", path: decoded };
}

function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function tcpAddress(authority: string, fail: Fail) {
  if (authority.includes("@")) {
    return fail("credentials", "it must not contain a user or a password");
  }
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]*))(?::([0-9]*))?$/.exec(authority) ??
    fail("host", "the host is not a name or an address");
  const host = bracketed ?? plain ?? "";
  if (host === "") {
    return fail("host", "there is no host");
  }
  const port = Number(digits ?? "");
  if (digits === undefined || digits === "" || port < 1 || port > 65_535) {
    return fail("port", "the port must be a number from 1 to 65535");
  }
  return { transport: "tcp" as const, host, port };
}

/** Cuts at the first `?` or `#`. */
function splitOnce(text: string): [string, string | undefined] {
  const at = text.search(/[?#]/);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at)];
}
