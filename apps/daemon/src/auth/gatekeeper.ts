import { scopeOfPath } from "./method-scopes.js";
import type { TokenSet } from "./token-set.js";

/** What is known of a request before anything is done for it. */
export interface AccessRequest {
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

  decide({ path, authorization, isLocalSocket }: AccessRequest): AccessDecision {
    const needed = scopeOfPath(path);
    if (this.#tokens === undefined || isLocalSocket || needed === "none") return { allowed: true };
    const token = bearerToken(authorization);
    if (token === undefined) return refuse("unauthenticated", MISSING);
    const entry = this.#tokens.find(token);
    if (entry === undefined) return refuse("unauthenticated", "The token is not known");
    return needed === "write" && entry.scope !== "write"
      ? refuse("forbidden", `The token of ${entry.name} may only read`)
      : { allowed: true, name: entry.name };
  }
}

const MISSING = 'A token is needed: send the header "authorization: Bearer TOKEN"';

/** The token of `Bearer TOKEN` (RFC 6750 §2.1); the scheme in any case, as HTTP has it. */
function bearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? "")?.[1];
}

function refuse(reason: "unauthenticated" | "forbidden", message: string): AccessDecision {
  return { allowed: false, reason, message };
}
