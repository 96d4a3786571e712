import { concatBytes, escapeBytes, toLatin1 } from "@tvix/castore";
import type { HttpResponse } from "./transport.js";
import { UpstreamError } from "./upstream-error.js";

/** Most of an answer that nobody wants that is read, to keep the connection. */
const DRAIN_BYTES = 64 * 1024;

/** Ends an answer that nobody wants, so that its connection can be used again. */
export async function drain(response: HttpResponse): Promise<void> {
  await readSome(response, DRAIN_BYTES);
}

/** What a server has to say about a refusal: one line of text, with nothing in it that drives a terminal. */
export async function firstLine(response: HttpResponse): Promise<string> {
  const isText = /^text\/plain\b/i.test(response.headers["content-type"] ?? "");
  const bytes = await readSome(response, isText ? MAX_MESSAGE_BYTES : 0);
  const [line = ""] = toLatin1(bytes).split("\n", 1);
  return isText ? escapeBytes(bytes.subarray(0, line.length)).slice(0, MAX_MESSAGE_BYTES) : "";
}

const MAX_MESSAGE_BYTES = 500;

/** The first bytes of a body, the rest of which is given up. A body that breaks off has ended. */
async function readSome(response: HttpResponse, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const bytes of response.body) {
      parts.push(bytes);
      length += bytes.byteLength;
      if (length >= maxBytes) break;
    }
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
  }
  return concatBytes(parts).subarray(0, maxBytes);
}
