import { type CacheHeaders, type CacheResponse, textResponse } from "./exchange.js";

/**
 * Ends the handling of a request with a response other than success. Uploads that are wrong get 4xx and
 * never 5xx: Nix repeats an upload after 5xx, 408 and 429, without its body, and hangs.
 *
 * @internal
 */
export class CacheRefusal extends Error {
  override readonly name: string = "CacheRefusal";
  readonly response: CacheResponse;

  /** @param line - what is wrong, in one line without a break at its end */
  constructor(status: number, line: string, headers: CacheHeaders = {}, options?: ErrorOptions) {
    super(line, options);
    this.response = textResponse(status, oneLine(line), headers);
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
