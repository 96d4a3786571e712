import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { BatchService, type PutChunkedBlobRequest } from "@tvix/protos/batch";
import type { BlobService, ChunkMeta } from "../blobservice/blob-service.js";
import { canPutChunked, joinChunks } from "../blobservice/chunked-blob-upload.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { digestField } from "./digest-field.js";
import { answer, type ErrorPolicy, type RpcOptions, requestsOf } from "./handler-call.js";
import {
  MAX_BLOBS_PER_CALL,
  MAX_CHUNK_BYTES,
  MAX_CHUNKS,
  MAX_DIGESTS_PER_CALL,
  PEER_MESSAGE_BYTES,
} from "./limits.js";

/** Directories that are looked for at a time. */
const DIRECTORY_LOOKUPS = 64;

/** Where the blobs and Directories of the batches are. */
export interface BatchServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** Serves `tvix.castore.batch.v1`, with which a client sends only what is missing, in few calls. */
export function registerBatchService(
  router: ConnectRouter,
  services: BatchServices,
  options: RpcOptions = {},
): void {
  const chunkedPolicy: ErrorPolicy = {
    ...options,
    mapping: { codes: { MISSING_REFERENCE: Code.NotFound } },
  };
  const { blobs, directories } = services;
  const implementation: ServiceImpl<typeof BatchService> = {
    findMissingBlobs: ({ digests }, context) =>
      answer(context, options, async () => {
        const present = await blobs.hasMany(digestFields(digests), { signal: context.signal });
        return { missing: positionsOfFalse(present) };
      }),
    putBlobs: ({ contents }, context) =>
      answer(context, options, () => putBlobs(blobs, contents, context)),
    putChunkedBlob: (requests, context) =>
      answer(context, chunkedPolicy, () => putChunkedBlob(blobs, requests, context)),
    findMissingDirectories: ({ digests }, context) =>
      answer(context, options, async () => {
        const present = await hasDirectories(directories, digestFields(digests), context.signal);
        return { missing: positionsOfFalse(present) };
      }),
  };
  router.service(BatchService, implementation);
}

async function putBlobs(
  blobs: BlobService,
  contents: Uint8Array[],
  { signal }: HandlerContext,
): Promise<{ digests: Uint8Array[] }> {
  checkCount("blobs", contents.length, MAX_BLOBS_PER_CALL);
  const bytes = contents.reduce((sum, content) => sum + content.byteLength, 0);
  checkCount("bytes", bytes, PEER_MESSAGE_BYTES);
  const digests = await blobs.putMany(contents, { signal });
  return { digests: digests.map((digest) => digest.toBytes()) };
}

async function putChunkedBlob(
  blobs: BlobService,
  requests: AsyncIterable<PutChunkedBlobRequest>,
  context: HandlerContext,
): Promise<Record<string, never>> {
  const { signal } = context;
  const { digest, chunks } = await readChunkList(requestsOf(requests, context));
  if (await blobs.has(digest, { signal })) return {};
  if (canPutChunked(blobs)) await blobs.putChunked(digest, chunks, { signal });
  else await blobs.put(joinChunks(blobs, digest, chunks, { signal }), { signal });
  return {};
}

async function readChunkList(
  requests: AsyncIterable<PutChunkedBlobRequest>,
): Promise<{ digest: B3Digest; chunks: ChunkMeta[] }> {
  const chunks: ChunkMeta[] = [];
  let digest: B3Digest | undefined;
  for await (const request of requests) {
    if (digest !== undefined) throw invalid("a message follows the one with the digest");
    checkCount("chunks", chunks.length + request.chunks.length, MAX_CHUNKS);
    for (const chunk of request.chunks) {
      if (chunk.size < 1n || chunk.size > MAX_CHUNK_BYTES) {
        throw invalid(`a chunk of ${chunk.size} bytes: expected 1 to ${MAX_CHUNK_BYTES}`);
      }
      chunks.push({ digest: digestField(chunk.digest), size: Number(chunk.size) });
    }
    if (request.digest.byteLength > 0) digest = digestField(request.digest);
  }
  if (digest === undefined) throw invalid("the last message has no digest");
  return { digest, chunks };
}

async function hasDirectories(
  directories: DirectoryService,
  digests: readonly B3Digest[],
  signal: AbortSignal,
): Promise<boolean[]> {
  const present: boolean[] = [];
  for (let start = 0; start < digests.length; start += DIRECTORY_LOOKUPS) {
    const found = await Promise.all(
      digests
        .slice(start, start + DIRECTORY_LOOKUPS)
        .map((digest) => directories.get(digest, { signal })),
    );
    present.push(...found.map((directory) => directory !== undefined));
  }
  return present;
}

function digestFields(fields: readonly Uint8Array[]): B3Digest[] {
  checkCount("digests", fields.length, MAX_DIGESTS_PER_CALL);
  return fields.map(digestField);
}

function positionsOfFalse(flags: readonly boolean[]): number[] {
  return flags.flatMap((flag, i) => (flag ? [] : [i]));
}

function checkCount(what: string, count: number, limit: number): void {
  if (count > limit) throw invalid(`${count} ${what}, more than ${limit}`);
}

function invalid(message: string): ConnectError {
  return new ConnectError(`invalid request: ${message}`, Code.InvalidArgument);
}
