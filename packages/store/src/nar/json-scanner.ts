import { NarListingError, type NarListingErrorReason } from "./nar-listing-error.js";

/** Longest string in a listing, as written: a target, every byte of it escaped. */
const MAX_STRING_LENGTH: number = 6 * 4095 + 2;

const [QUOTE, BACKSLASH, SPACE] = [0x22, 0x5c, 0x20];

/** Reads JSON text, token by token; what is not as it should be is a {@link NarListingError}. */
export class JsonScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Whether the next token is `token`, which is taken then. */
  take(token: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) throw this.error("syntax", `expected ${token}`);
  }

  /** Goes to the next member of an object, `isFirst` or not. @returns `false` at its end */
  nextMember(isFirst: boolean): boolean {
    if (this.take("}")) return false;
    if (!isFirst) this.expect(",");
    return true;
  }

  /** The name of a member, and the colon after it. */
  memberName(): string {
    const name = this.string();
    this.expect(":");
    return name;
  }

  string(): string {
    this.#skipSpace();
    const start = this.#at;
    if (this.#text.charCodeAt(start) !== QUOTE) throw this.error("syntax", "expected a string");
    let end = start + 1;
    for (let code = this.#text.charCodeAt(end); code !== QUOTE; ) {
      // Not a number at the end of the text.
      if (!(code >= SPACE)) throw this.error("syntax", "a string is not closed");
      end += code === BACKSLASH ? 2 : 1;
      if (end - start > MAX_STRING_LENGTH) throw this.error("syntax", "a string is too long");
      code = this.#text.charCodeAt(end);
    }
    const value = this.#parse(this.#text.slice(start, end + 1));
    this.#at = end + 1;
    return value;
  }

  /** A whole number that is not negative and can be counted exactly. */
  integer(): number {
    this.#skipSpace();
    const [digits] =
      /^(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/.exec(this.#text.slice(this.#at, this.#at + 17)) ?? [];
    const value = Number(digits);
    if (digits === undefined || !Number.isSafeInteger(value)) {
      throw this.error("syntax", "expected a whole number below 2^53");
    }
    this.#at += digits.length;
    return value;
  }

  boolean(): boolean {
    if (this.take("true")) return true;
    if (this.take("false")) return false;
    throw this.error("syntax", "expected true or false");
  }

  /** Nothing but space may follow. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.error("syntax", "there is more after the listing");
  }

  error(reason: NarListingErrorReason, detail: string, options?: ErrorOptions): NarListingError {
    const message = `Cannot read NAR listing: ${detail}, at character ${this.#at}`;
    return new NarListingError(reason, message, options);
  }

  #parse(literal: string): string {
    let value: unknown;
    try {
      value = JSON.parse(literal);
    } catch (cause) {
      throw this.error("syntax", "a string has a bad escape", { cause });
    }
    const text = String(value);
    if (/\p{Surrogate}/u.test(text)) throw this.error("not-utf8", "a string has half a character");
    return text;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== SPACE && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }
}
