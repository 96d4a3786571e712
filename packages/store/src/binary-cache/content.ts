import { encodeNixBase32 } from "../nixbase32.js";
import { sha256 } from "../sha256/sha256.js";
import { type ContentCoding, chooseCoding } from "./accept-encoding.js";
import { type ByteSpan, chooseRanges } from "./byte-ranges.js";
import { doesIfRangeHold, isNotModified } from "./conditional.js";
import { type CacheHeaders, type CacheRequest, type CacheResponse, headerOf } from "./exchange.js";

/** Something that is sent, whole or in part. */
export interface Content {
  /** In bytes. */
  readonly size: number;
  readonly type: string;
  /** Strong: names these very bytes. With its quotes. */
  readonly etag: string;
  readonly cacheControl: string;
  /** The bytes from `start` up to `end`. */
  stream(span: ByteSpan): AsyncIterable<Uint8Array>;
  /** The same; a piece is valid only until the next one is asked for. */
  lend?(span: ByteSpan): AsyncIterable<Uint8Array>;
  /** All bytes, where they are in memory anyway: they go out faster than a stream. */
  readonly bytes?: Uint8Array;
}

/** How content is compressed on its way. */
export interface ContentEncoder {
  /** The preferred one first. */
  readonly codings: readonly ContentCoding[];
  encode(coding: ContentCoding, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Nothing to gain below this many bytes. */
const MIN_ENCODED_BYTES = 256;

/**
 * The response to GET, and to HEAD as far as its headers go: all of the content, parts of it, or word that
 * the client has it already. Compressed only for clients that ask, and never in parts.
 */
export function respondWith(
  request: CacheRequest,
  content: Content,
  encoder: ContentEncoder,
): CacheResponse {
  const { size, etag, cacheControl } = content;
  const shared = { "cache-control": cacheControl, vary: "accept-encoding" };
  if (isNotModified(request, etag)) return { status: 304, headers: { ...shared, etag } };
  const range = headerOf(request, "range");
  const choice =
    range !== undefined && request.method === "GET" && doesIfRangeHold(request, etag)
      ? chooseRanges(range, size)
      : "whole";
  const headers = { ...shared, etag, "accept-ranges": "bytes" };
  if (choice === "unsatisfiable") return unsatisfiable(headers, size);
  if (choice !== "whole") return partial(request, content, headers, choice);
  const coding =
    range === undefined && size >= MIN_ENCODED_BYTES
      ? chooseCoding(headerOf(request, "accept-encoding"), encoder.codings)
      : undefined;
  return coding === undefined
    ? wholeResponse(content, request)
    : encoded(content, shared, { coding, encoder });
}

/** All of the content as it is, for whoever has no other wish. */
export function wholeResponse(
  content: Content,
  request: Pick<CacheRequest, "takesLentBytes"> = {},
): CacheResponse {
  const { size, type, etag, cacheControl } = content;
  return {
    status: 200,
    headers: {
      "cache-control": cacheControl,
      vary: "accept-encoding",
      etag,
      "accept-ranges": "bytes",
      "content-type": type,
      "content-length": String(size),
    },
    body: content.bytes ?? streamFor(request, content, { start: 0, end: size }),
  };
}

function streamFor(
  { takesLentBytes = false }: Pick<CacheRequest, "takesLentBytes">,
  content: Content,
  span: ByteSpan,
): AsyncIterable<Uint8Array> {
  return takesLentBytes && content.lend !== undefined ? content.lend(span) : content.stream(span);
}

/** Parts of what is compressed cannot be asked for: what comes out may differ from time to time. */
function encoded(
  content: Content,
  shared: CacheHeaders,
  { coding, encoder }: { readonly coding: ContentCoding; readonly encoder: ContentEncoder },
): CacheResponse {
  return {
    status: 200,
    headers: {
      ...shared,
      etag: `W/${content.etag}`,
      "content-type": content.type,
      "content-encoding": coding,
    },
    body: encoder.encode(coding, content.stream({ start: 0, end: content.size })),
  };
}

function unsatisfiable(headers: CacheHeaders, size: number): CacheResponse {
  return {
    status: 416,
    headers: { ...headers, "content-range": `bytes */${size}`, "content-length": "0" },
  };
}

function partial(
  request: CacheRequest,
  content: Content,
  headers: CacheHeaders,
  spans: readonly ByteSpan[],
): CacheResponse {
  const [only] = spans;
  if (only !== undefined && spans.length === 1) {
    return {
      status: 206,
      headers: {
        ...headers,
        "content-type": content.type,
        "content-range": contentRange(only, content.size),
        "content-length": String(only.end - only.start),
      },
      body: streamFor(request, content, only),
    };
  }
  const parts = multipart(content, spans);
  return {
    status: 206,
    headers: {
      ...headers,
      "content-type": `multipart/byteranges; boundary=${parts.boundary}`,
      "content-length": String(parts.length),
    },
    body: parts.stream(),
  };
}

function contentRange({ start, end }: ByteSpan, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}

/** RFC 9110 §14.6. The boundary follows from what is asked for, so that the same request gets the same bytes. */
function multipart(
  content: Content,
  spans: readonly ByteSpan[],
): { readonly boundary: string; readonly length: number; stream(): AsyncIterable<Uint8Array> } {
  const text = new TextEncoder();
  const seed = text.encode(content.etag + spans.map(({ start, end }) => `${start}-${end}`).join());
  const boundary = encodeNixBase32(sha256(seed)).slice(0, 32);
  const heads = spans.map((span, i) =>
    text.encode(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\ncontent-type: ${content.type}\r\n` +
        `content-range: ${contentRange(span, content.size)}\r\n\r\n`,
    ),
  );
  const tail = text.encode(`\r\n--${boundary}--\r\n`);
  const length = spans.reduce(
    (sum, { start, end }, i) => sum + (heads[i]?.byteLength ?? 0) + end - start,
    tail.byteLength,
  );
  async function* stream(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const [i, span] of spans.entries()) {
      yield heads[i] as Uint8Array;
      yield* content.stream(span);
    }
    yield tail;
  }
  return { boundary, length, stream };
}

/** Content that is in memory. The tag follows from the bytes. */
export function bytesContent(
  bytes: Uint8Array,
  { type, cacheControl }: Pick<Content, "type" | "cacheControl">,
): Content {
  return {
    bytes,
    size: bytes.byteLength,
    type,
    cacheControl,
    etag: `"${encodeNixBase32(sha256(bytes))}"`,
    async *stream({ start, end }) {
      yield bytes.subarray(start, end);
    },
  };
}
