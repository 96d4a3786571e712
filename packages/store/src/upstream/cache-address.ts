import { toBase64, toUtf8 } from "@tvix/castore";
import { StoreError } from "../errors.js";

/** Where a binary cache is, and who asks. */
export interface CacheAddress {
  /** Ends in a slash; without user name, password, query and fragment. */
  readonly url: URL;
  /** What goes into `Authorization`. Never show it. */
  readonly authorization?: string | undefined;
  /** Public keys that the address names, as in `trusted-public-keys` of Nix. */
  readonly trustedPublicKeys?: string | undefined;
}

const KEYS_PARAMETER = "trusted-public-keys";

/**
 * Reads `http(s)://…`, or `nix+http(s)://…` as tvix writes it. A user name and password in it become
 * Basic credentials; of the query only `trusted-public-keys` has a meaning, and other parameters are refused.
 *
 * @throws {@link StoreError} with code "INVALID_ARGUMENT"; the message does not repeat the address, which may
 *   hold a password
 */
export function parseCacheAddress(text: string): CacheAddress {
  const plain = text.replace(/^nix\+/, "");
  if (!/^https?:\/\//i.test(plain) || !URL.canParse(plain)) {
    throw refusal(
      "it is not a URL that starts with http://, https://, nix+http:// or nix+https://",
    );
  }
  const url = new URL(plain);
  const unknown = [...url.searchParams.keys()].find((key) => key !== KEYS_PARAMETER);
  if (unknown !== undefined) throw refusal(`its parameter ${JSON.stringify(unknown)} is not known`);
  const trustedPublicKeys = url.searchParams.get(KEYS_PARAMETER) ?? undefined;
  const authorization = basicCredentials(url);
  const clean = new URL(url.origin);
  clean.pathname = url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`;
  return {
    url: clean,
    ...(authorization === undefined ? {} : { authorization }),
    ...(trustedPublicKeys === undefined ? {} : { trustedPublicKeys }),
  };
}

function basicCredentials({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  try {
    const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${toBase64(toUtf8(text))}`;
  } catch (cause) {
    throw refusal("its user name or password is not encoded as in a URL", cause);
  }
}

function refusal(why: string, cause?: unknown): StoreError {
  return new StoreError("INVALID_ARGUMENT", `Invalid address of a binary cache: ${why}`, { cause });
}

/** A URL for messages: without user name, password and query, any of which may hold a secret. */
export function showUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?..."}`;
}
