import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { BlobService as BlobServiceDesc } from "@tvix/protos/castore";
import { SnixBlobService } from "@tvix/protos/snix";
import type { BlobService, ChunkMeta } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { digestField } from "./digest-field.js";
import { answer, answerStream, type RpcOptions, requestsOf } from "./handler-call.js";
import {
  BLOB_SIZE_HEADER,
  CHUNK_META_BYTES,
  CONTENT_MESSAGE_BYTES,
  PEER_MESSAGE_BYTES,
} from "./limits.js";

/**
 * Longest chunk list that is told, so that the answer fits into one message for any peer. A blob of
 * more chunks (some 25 GiB) is one that no finer pieces are known of.
 */
const MAX_TOLD_CHUNKS: number = Math.floor(PEER_MESSAGE_BYTES / CHUNK_META_BYTES);

/**
 * Serves `blobs` as the BlobService of tvix and of snix. Status codes are those of tvix; a failing
 * upload has the code of its cause.
 */
export function registerBlobService(
  router: ConnectRouter,
  blobs: BlobService,
  options: RpcOptions = {},
): void {
  const handlers = new BlobHandlers(blobs);
  const implementation: ServiceImpl<typeof BlobServiceDesc> = {
    stat: (request, context) => answer(context, options, () => handlers.stat(request, context)),
    read: (request, context) =>
      answerStream(context, options, handlers.read(request.digest, context)),
    put: (requests, context) => answer(context, options, () => handlers.put(requests, context)),
  };
  router.service(BlobServiceDesc, implementation);
  router.service(SnixBlobService, implementation);
}

class BlobHandlers {
  readonly #blobs: BlobService;

  constructor(blobs: BlobService) {
    this.#blobs = blobs;
  }

  /** Tells the chunks also when they are not asked for, as tvix and snix do: clients may rely on it. */
  async stat(
    request: { readonly digest: Uint8Array; readonly sendChunks: boolean },
    context: HandlerContext,
  ) {
    const digest = digestField(request.digest);
    const { signal } = context;
    const chunks = await this.#blobs.chunks(digest, { signal });
    if (chunks === undefined) throw notFound(digest);
    if (request.sendChunks) {
      const size = await this.#sizeOf(digest, chunks, signal);
      if (size !== undefined) context.responseHeader.set(BLOB_SIZE_HEADER, String(size));
    }
    return { chunks: chunks.length > MAX_TOLD_CHUNKS ? [] : chunks.map(toMessage) };
  }

  async *read(bytes: Uint8Array, { signal }: HandlerContext) {
    const digest = digestField(bytes);
    const reader = await this.#blobs.openRead(digest, { signal });
    if (reader === undefined) throw notFound(digest);
    for await (const piece of reader.stream({}, { signal })) {
      for (let offset = 0; offset < piece.byteLength; offset += CONTENT_MESSAGE_BYTES) {
        yield { data: piece.subarray(offset, offset + CONTENT_MESSAGE_BYTES) };
      }
    }
  }

  async put(requests: AsyncIterable<{ readonly data: Uint8Array }>, context: HandlerContext) {
    const digest = await this.#blobs.put(contentsOf(requestsOf(requests, context)), {
      signal: context.signal,
    });
    return { digest: digest.toBytes() };
  }

  async #sizeOf(
    digest: B3Digest,
    chunks: readonly ChunkMeta[],
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (chunks.length > 0) return chunks.reduce((sum, { size }) => sum + size, 0);
    return (await this.#blobs.openRead(digest, { signal }))?.size;
  }
}

async function* contentsOf(
  requests: AsyncIterable<{ readonly data: Uint8Array }>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { data } of requests) yield data;
}

function toMessage({ digest, size }: ChunkMeta): { digest: Uint8Array; size: bigint } {
  return { digest: digest.toBytes(), size: BigInt(size) };
}

function notFound(digest: B3Digest): ConnectError {
  return new ConnectError(`blob ${digest} not found`, Code.NotFound);
}
