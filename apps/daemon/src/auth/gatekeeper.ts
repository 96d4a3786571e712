import { scopeOfRequest } from "./request-scope.js";
import type { TokenSet } from "./token-set.js";

/** What is known of a request before anything is done for it. */
export interface AccessRequest {
  /** Of HTTP, in capital letters; POST, as for calls, where it is absent. */
  readonly method?: string;
  /** Path without query: `/SERVICE/METHOD`, `/metrics`. */
  readonly path: string;
  /** Value of the header `authorization`. */
  readonly authorization: string | undefined;
  /** It came over a socket whose file says who may connect. */
  readonly isLocalSocket: boolean;
}

/** Whether a request is let in. */
export type AccessDecision =
  /** `name` is that of the token, where there is one. */
  | { readonly allowed: true; readonly name?: string }
  /** "unauthenticated": no token, or none that is known. "forbidden": its scope does not suffice. */
  | {
      readonly allowed: false;
      readonly reason: "unauthenticated" | "forbidden";
      readonly message: string;
    };

/**
 * Decides who may do what, for every surface alike. Without tokens everyone may do everything: then the
 * addresses, or TLS with client certificates, decide who is let in.
 */
export class Gatekeeper {
  #tokens: TokenSet | undefined;

  constructor(tokens: TokenSet | undefined) {
    this.#tokens = tokens;
  }

  /** From now on these count; calls that have begun go on. */
  replaceTokens(tokens: TokenSet): void {
    this.#tokens = tokens;
  }

  decide({ method = "POST", path, authorization, isLocalSocket }: AccessRequest): AccessDecision {
    const needed = scopeOfRequest(method, path);
    if (this.#tokens === undefined || isLocalSocket || needed === "none") return { allowed: true };
    const token = bearerToken(authorization) ?? basicPassword(authorization);
    if (token === undefined) return refuse("unauthenticated", MISSING);
    const entry = this.#tokens.find(token);
    if (entry === undefined) return refuse("unauthenticated", "The token is not known");
    return needed === "write" && entry.scope !== "write"
      ? refuse("forbidden", `The token of ${entry.name} may only read`)
      : { allowed: true, name: entry.name };
  }
}

const MISSING = 'A token is needed: send the header "authorization: Bearer TOKEN"';

/** The password of HTTP Basic (RFC 7617), which Nix sends from a netrc file; the user name does not matter. */
function basicPassword(authorization: string | undefined): string | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  return /^[^:]*:([A-Za-z0-9._~+/-]+=*)$/s.exec(text)?.[1];
}

/** The token of `Bearer TOKEN` (RFC 6750 §2.1); the scheme in any case, as HTTP has it. */
function bearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? "")?.[1];
}

function refuse(reason: "unauthenticated" | "forbidden", message: string): AccessDecision {
  return { allowed: false, reason, message };
}
