import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { BlobService as BlobServiceDesc, type StatBlobRequest } from "@tvix/protos/castore";
import { SnixBlobService } from "@tvix/protos/snix";
import { GROUP_LOG, TreeShape } from "../bao/tree-shape.js";
import type { BlobService, ChunkMeta } from "../blobservice/blob-service.js";
import { outboardOf } from "../blobservice/blob-slice.js";
import type { B3Digest } from "../digest.js";
import { notFound } from "./blob-not-found.js";
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

/** Bytes on the wire of the field of an outboard, without its content: its tag and its length. */
const BAO_FIELD_BYTES = 6;

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

  /** Tells the length in any case, so that nobody needs the chunks to learn it. */
  async stat(request: StatBlobRequest, context: HandlerContext) {
    const digest = digestField(request.digest);
    const { signal } = context;
    const reader = await this.#blobs.openRead(digest, { signal });
    if (reader === undefined) throw notFound(digest);
    context.responseHeader.set(BLOB_SIZE_HEADER, String(reader.size));
    const chunks = request.sendChunks ? await this.#toldChunks(digest, signal) : [];
    const room = PEER_MESSAGE_BYTES - BAO_FIELD_BYTES - chunks.length * CHUNK_META_BYTES;
    const { outboardBytes } = new TreeShape(reader.size, GROUP_LOG);
    const isTold = request.sendBao && outboardBytes <= room;
    const tree = isTold ? await this.#blobs.tree?.(digest, { signal }) : undefined;
    const bao = tree && (await outboardOf(digest, tree, room, { signal }));
    return bao === undefined ? { chunks } : { chunks, bao };
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

  async #toldChunks(digest: B3Digest, signal: AbortSignal) {
    const chunks = await this.#blobs.chunks(digest, { signal });
    if (chunks === undefined) throw notFound(digest);
    return chunks.length > MAX_TOLD_CHUNKS ? [] : chunks.map(toMessage);
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
