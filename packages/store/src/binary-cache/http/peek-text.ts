import type { BinaryCache } from "../binary-cache.js";
import type { CacheResponse } from "../exchange.js";
import { SECURITY_HEADERS } from "./node-response.js";

/** A response as text: each byte is a character of latin1. */
export interface TextResponse {
  readonly status: number;
  /** A line for each header, with its line break. */
  readonly headers: string;
  readonly body: string;
}

/** The response to a plain GET, where a cache has it at once. */
export type PeekText = (path: string) => TextResponse | undefined;

/**
 * {@link BinaryCache.peek} as text that a server can send as it is, the same as {@link tryServe} would. What was
 * made for a body is kept as long as that.
 */
export function peekText(cache: Pick<BinaryCache, "peek">): PeekText {
  const made = new WeakMap<Uint8Array, TextResponse>();
  return (path) => {
    const response = cache.peek(path);
    const { body } = response ?? {};
    if (response === undefined || !(body instanceof Uint8Array)) return undefined;
    const known = made.get(body);
    if (known !== undefined) return known;
    const text = textOf(response, body);
    made.set(body, text);
    return text;
  };
}

function textOf({ status, headers }: CacheResponse, body: Uint8Array): TextResponse {
  const lines = Object.entries({ ...headers, ...SECURITY_HEADERS });
  return {
    status,
    headers: lines.map(([name, value]) => `${name}: ${value}\r\n`).join(""),
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"),
  };
}
