import { showAddress } from "./show-address.js";

/**
 * Where a service is, as text:
 *
 *     address = scheme ":" [ "//" authority ] path [ "?" key "=" value *( "&" key "=" value ) ]
 *
 * Nothing is ignored, and nothing may hold a secret: there is no fragment, and no user name in an authority.
 */
export interface ServiceAddress {
  /** As it was written. */
  readonly text: string;
  readonly scheme: string;
  /** `undefined` without slashes, empty after `scheme:///`. */
  readonly authority: string | undefined;
  /** As it was written, percent-encoded. */
  readonly path: string;
  /** Keys and values, decoded. A plus sign is one: `%20` is the space. */
  readonly query: ReadonlyMap<string, string>;
}

/** An address that cannot be parsed. */
export class AddressError extends Error {
  override readonly name: string = "AddressError";
  /** What is wrong, without the address. */
  readonly problem: string;

  constructor(address: string, problem: string, options?: ErrorOptions) {
    super(`Cannot use address ${showAddress(address)}: ${problem}`, options);
    this.problem = problem;
  }
}

/**
 * Takes an address apart. Whether its scheme is known, and what its parts mean, is for the registry.
 *
 * @throws {@link AddressError}
 */
export function parseServiceAddress(text: string): ServiceAddress {
  const [, scheme, authority, path = "", query] =
    /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?$/.exec(text) ??
    refuse(text, "it must look like SCHEME:..., such as local:///DIR or grpc+http://HOST:PORT");
  if (scheme === undefined) return refuse(text, "it has no scheme");
  if (authority?.includes("@") === true) {
    return refuse(
      text,
      "a user name or password has no place in an address: name a file with a token",
    );
  }
  return { text, scheme, authority, path, query: parseQuery(text, query) };
}

function parseQuery(text: string, query: string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (query === undefined) return found;
  for (const part of query.split("&")) {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(part) ?? [];
    if (key === undefined || value === undefined) {
      return refuse(
        text,
        "what follows the question mark must be KEY=VALUE, with & between several",
      );
    }
    const name = decodePart(text, key);
    if (found.has(name)) return refuse(text, `key ${JSON.stringify(name)} is there twice`);
    found.set(name, decodePart(text, value));
  }
  return found;
}

/**
 * Text without its percent escapes.
 *
 * @throws {@link AddressError} for escapes that are none
 */
function decodePart(address: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new AddressError(address, "a percent sign is not followed by two hexadecimal digits", {
      cause,
    });
  }
}

/**
 * The absolute path of a file that an address has: `scheme:/PATH` or `scheme:///PATH`.
 *
 * @returns `undefined` when the address ends after its scheme
 * @throws {@link AddressError} for a host and for a path that is not absolute
 */
export function filePathOf({ text, scheme, authority, path }: ServiceAddress): string | undefined {
  if (authority !== undefined && authority !== "") {
    return refuse(text, `a path has no host: write three slashes, ${scheme}:///PATH`);
  }
  const decoded = decodePart(text, path);
  if (decoded === "" && authority === undefined) return undefined;
  if (!/^\/./.test(decoded) || decoded.includes("\0")) {
    return refuse(text, `it needs an absolute path, as in ${scheme}:///PATH`);
  }
  return decoded;
}

/** @throws {@link AddressError} when there is anything between the scheme and the question mark */
export function assertOnlyQuery({ text, scheme, authority, path }: ServiceAddress): void {
  if ((authority ?? "") === "" && path === "") return;
  refuse(text, `nothing may stand between ${scheme}: and the question mark`);
}

/** @throws {@link AddressError} always */
export function refuse(address: string, problem: string): never {
  throw new AddressError(address, problem);
}
