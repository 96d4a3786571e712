import type { Attempts } from "./attempts.js";
import { showUrl } from "./cache-address.js";
import type { CacheClient } from "./cache-client.js";
import { decodeContent, isPlain } from "./content-decoding.js";
import type { HttpResponse } from "./transport.js";
import { UpstreamError } from "./upstream-error.js";

/** What the first answer told about a file, so that the rest of it can be asked for. */
interface Resumable {
  /** A strong one; without it nothing says that the file is still the same, but its hash, later. */
  readonly etag: string | undefined;
  /** Length of the whole in bytes. */
  readonly total: number | undefined;
}

/**
 * The content of a file of a cache. When the connection breaks off, it goes on where it was, if the server
 * has said that it can do that; else this fails, and the caller has to start anew.
 *
 * @param attempts - counts the failures of the caller's whole task
 * @throws {@link UpstreamError}, with reason "missing-nar" when the cache does not have the file
 */
export async function* download(
  client: CacheClient,
  url: URL,
  attempts: Attempts,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const release = await client.place(signal);
  try {
    let offset = 0;
    let resumable: Resumable | undefined;
    for (;;) {
      try {
        const response = await openAt(client, url, offset, resumable, signal);
        if (offset === 0) resumable = resumableOf(response);
        for await (const bytes of decodeContent(response, url)) {
          offset += bytes.byteLength;
          if (resumable !== undefined) attempts.progress();
          yield bytes;
        }
        return;
      } catch (error) {
        if (resumable === undefined || error instanceof NotResumedError) throw error;
        await attempts.after(error);
        // An answer that broke off at once may be followed by any other.
        if (offset === 0) resumable = undefined;
      }
    }
  } finally {
    release();
  }
}

async function openAt(
  client: CacheClient,
  url: URL,
  offset: number,
  resumable: Resumable | undefined,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const headers =
    offset === 0
      ? {}
      : {
          range: `bytes=${offset}-`,
          ...(resumable?.etag === undefined ? {} : { "if-range": resumable.etag }),
        };
  const response = await client.open({ method: "GET", url, headers }, signal);
  if (response === undefined) {
    const message = `Cannot read ${showUrl(url)}: the cache does not have this NAR any more`;
    throw new UpstreamError("missing-nar", message);
  }
  if (offset === 0 ? response.status !== 206 : continues(response, offset, resumable)) {
    return response;
  }
  response.discard();
  throw new NotResumedError(url);
}

/** Whether an answer is the rest of the same file. */
function continues({ status, headers }: HttpResponse, offset: number, first?: Resumable): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (status !== 206 || range === null || Number(range[1]) !== offset) return false;
  if (headers["content-encoding"] !== undefined) return false;
  const total = range[3] === "*" ? undefined : Number(range[3]);
  return total === undefined || first?.total === undefined || total === first.total;
}

function resumableOf(response: HttpResponse): Resumable | undefined {
  const { headers } = response;
  if (headers["accept-ranges"]?.trim().toLowerCase() !== "bytes" || !isPlain(response)) {
    return undefined;
  }
  const length = headers["content-length"];
  const { etag } = headers;
  return {
    etag: etag?.startsWith('"') === true ? etag : undefined,
    total: length === undefined ? undefined : Number(length),
  };
}

/** A server gave something else than the rest of a file: what came so far is of no use. */
class NotResumedError extends UpstreamError {
  override readonly name: string = "NotResumedError";

  constructor(url: URL) {
    const message = `Cannot go on reading ${showUrl(url)}: the cache does not send the rest of it`;
    super("truncated", message, { transient: true });
  }
}
