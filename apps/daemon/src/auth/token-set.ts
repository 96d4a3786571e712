import { createHash, timingSafeEqual } from "node:crypto";

/** What a token allows. Who may write may read. */
export type TokenScope = "read" | "write";

/** A token as the daemon keeps it: never in the clear. */
export interface TokenEntry {
  /** Who it was given to, for logs. */
  readonly name: string;
  readonly scope: TokenScope;
  /** SHA-256 of the token's text: 32 bytes. */
  readonly sha256: Uint8Array;
}

/** SHA-256 of a token as it is kept and compared. */
export function hashToken(token: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(token, "utf8").digest());
}

/** Tokens that may be presented. */
export class TokenSet {
  readonly #entries: readonly TokenEntry[];

  constructor(entries: readonly TokenEntry[]) {
    this.#entries = entries;
  }

  get size(): number {
    return this.#entries.length;
  }

  /**
   * The entry of a token that somebody presents; `undefined` when there is none.
   *
   * How long this takes tells nothing about the tokens: their hashes are compared in constant time,
   * with all entries each time.
   */
  find(presented: string): TokenEntry | undefined {
    const hash = hashToken(presented);
    let found: TokenEntry | undefined;
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.sha256, hash)) found = entry;
    }
    return found;
  }
}
