import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  BatchService,
  type PutBlobsRequest,
  type PutChunkedBlobRequest,
  type PutDirectoriesRequest,
  type ReadBlobsRequest,
} from "@tvix/protos/batch";
import type { BlobService } from "../blobservice/blob-service.js";
import {
  type BlobChunk,
  type BlobChunks,
  canPutChunked,
  joinChunks,
} from "../blobservice/chunked-blob-upload.js";
import { type B3Digest, DIGEST_LENGTH, joinDigests, splitDigests } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import type { Directory } from "../nodes/directory.js";
import { decodeDigestedDirectory, directoryDigest } from "../wire/directory-digest.js";
import { digestField } from "./digest-field.js";
import { checkDirectoryCount, type DirectoryRpcOptions } from "./directory-service.js";
import { answer, answerStream, type ErrorPolicy } from "./handler-call.js";
import {
  MAX_BLOBS_PER_CALL,
  MAX_CHUNK_BYTES,
  MAX_CHUNKS,
  MAX_DIGESTS_PER_CALL,
  MAX_DIRECTORIES_PER_UPLOAD,
  MAX_SENT_CHUNK_BYTES,
  PEER_MESSAGE_BYTES,
} from "./limits.js";
import { readBlobs } from "./read-blobs.js";

/** Directories that are looked for at a time. */
const DIRECTORY_LOOKUPS = 64;

/** Where the blobs and Directories of the batches are. */
export interface BatchServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** Serves `tvix.castore.batch.v1`, with which a client sends only what is missing, and reads many blobs, in few calls. */
export function registerBatchService(
  router: ConnectRouter,
  services: BatchServices,
  options: DirectoryRpcOptions = {},
): void {
  const chunkedPolicy: ErrorPolicy = {
    ...options,
    mapping: { codes: { MISSING_REFERENCE: Code.NotFound } },
  };
  const directoriesPolicy: ErrorPolicy = {
    ...options,
    mapping: { codes: { MISSING_REFERENCE: Code.FailedPrecondition } },
  };
  const { maxDirectories = MAX_DIRECTORIES_PER_UPLOAD } = options;
  const { blobs, directories } = services;
  const implementation: ServiceImpl<typeof BatchService> = {
    findMissingBlobs: ({ digests }, context) =>
      answer(context, options, async () => {
        const present = await blobs.hasMany(digestFields(digests), { signal: context.signal });
        return { missing: positionsOfFalse(present) };
      }),
    putBlobs: (request, context) =>
      answer(context, options, () => putBlobs(blobs, request, context)),
    putChunkedBlob: (requests, context) =>
      answer(context, chunkedPolicy, () => putChunkedBlob(blobs, requests, context)),
    putDirectories: (requests, context) =>
      answer(context, directoriesPolicy, () =>
        putDirectories(directories, requests, context, maxDirectories),
      ),
    findMissingDirectories: ({ digests }, context) =>
      answer(context, options, async () => {
        const present = await hasDirectories(directories, digestFields(digests), context.signal);
        return { missing: positionsOfFalse(present) };
      }),
    readBlobs: (request, context) => answerStream(context, options, read(request, context)),
  };
  async function* read({ digests, maxBytes }: ReadBlobsRequest, context: HandlerContext) {
    yield* readBlobs(blobs, digestFields(digests), maxBytes, context);
  }
  router.service(BatchService, implementation);
}

async function putBlobs(
  blobs: BlobService,
  { contents, lengths }: PutBlobsRequest,
  { signal }: HandlerContext,
): Promise<{ digests: Uint8Array[] }> {
  checkCount("blobs", Math.max(contents.length, lengths.length), MAX_BLOBS_PER_CALL);
  const bytes = contents.reduce((sum, content) => sum + content.byteLength, 0);
  checkCount("bytes", bytes, PEER_MESSAGE_BYTES);
  // Whoever sends many has asked for them.
  const call = { signal, areMissing: true };
  if (lengths.length > 0) {
    const digests = await blobs.putMany(cut(contents, lengths), call);
    return { digests: [joinDigests(digests)] };
  }
  const digests = await blobs.putMany(contents, call);
  return { digests: digests.map((digest) => digest.toBytes()) };
}

/** Blobs of these lengths, of which each element of `contents` holds some in a row. */
function cut(contents: readonly Uint8Array[], lengths: readonly number[]): Uint8Array[] {
  const blobs: Uint8Array[] = [];
  const rest = lengths.values();
  for (const run of contents) {
    for (let end = 0; end < run.byteLength; ) {
      const length = rest.next().value;
      if (length === undefined) throw invalid("there are more bytes than the lengths say");
      end += length;
      if (end > run.byteLength) throw invalid("the lengths do not fit the contents");
      blobs.push(run.subarray(end - length, end));
    }
  }
  // Those after the last byte can only be empty.
  for (const length of rest) {
    if (length > 0) throw invalid("there are fewer bytes than the lengths say");
    blobs.push(NO_BYTES);
  }
  return blobs;
}

const NO_BYTES = new Uint8Array(0);

async function putChunkedBlob(
  blobs: BlobService,
  requests: AsyncIterable<PutChunkedBlobRequest>,
  { signal }: HandlerContext,
): Promise<Record<string, never>> {
  const chunks = chunksOf(requests);
  try {
    if (canPutChunked(blobs)) await blobs.putChunked(chunks, { signal });
    else await blobs.put(joinChunks(blobs, chunks, { signal }), { signal });
  } finally {
    // A step under way ends by itself, since the requests have the same signal.
    chunks.return?.().catch(() => {});
  }
  return {};
}

async function* chunksOf(requests: AsyncIterable<PutChunkedBlobRequest>): BlobChunks {
  let count = 0;
  let digest: B3Digest | undefined;
  for await (const request of requests) {
    if (digest !== undefined) throw invalid("a message follows the one with the digest");
    count += request.chunks.length;
    checkCount("chunks", count, MAX_CHUNKS);
    const run = chunksIn(request);
    if (request.digest.byteLength > 0) digest = digestField(request.digest);
    yield run;
  }
  if (digest === undefined) throw invalid("the last message has no digest");
  return digest;
}

function chunksIn({ chunks, contents }: PutChunkedBlobRequest): BlobChunk[] {
  let sent = 0;
  const run = chunks.map(({ digest, size: stated }) => {
    const isSent = digest.byteLength === 0;
    const limit = isSent ? MAX_SENT_CHUNK_BYTES : MAX_CHUNK_BYTES;
    if (stated < 1n || stated > limit) {
      throw invalid(`a chunk of ${stated} bytes: expected 1 to ${limit}`);
    }
    const size = Number(stated);
    if (!isSent) return { digest: digestField(digest), size };
    sent += size;
    return contents.subarray(sent - size, sent);
  });
  if (sent !== contents.byteLength) {
    throw invalid(`${contents.byteLength} bytes are sent for chunks of ${sent}`);
  }
  return run;
}

async function putDirectories(
  directories: DirectoryService,
  requests: AsyncIterable<PutDirectoriesRequest>,
  { signal }: HandlerContext,
  max: number,
): Promise<{ rootDigest: Uint8Array }> {
  const root = await directories.putMultiple(directoriesIn(requests, max), { signal });
  return { rootDigest: root.toBytes() };
}

async function* directoriesIn(
  requests: AsyncIterable<PutDirectoriesRequest>,
  max: number,
): AsyncGenerator<Directory, void, undefined> {
  let root: B3Digest | undefined;
  let last: Directory | undefined;
  let count = 0;
  for await (const request of requests) {
    if (root !== undefined) throw invalid("a message follows the one with the root");
    count += request.directories.length;
    checkDirectoryCount(count, max);
    for (const encoded of request.directories) {
      last = decodeDigestedDirectory(encoded);
      yield last;
    }
    if (request.rootDigest.byteLength > 0) root = digestField(request.rootDigest);
  }
  // What was cut off may be a closure too.
  if (root === undefined) throw invalid("the last message has no root");
  if (last === undefined) return;
  const actual = directoryDigest(last);
  if (!actual.equals(root)) throw invalid(`the directories make up ${actual}, not ${root}`);
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
  const count = fields.reduce((sum, field) => sum + digestsIn(field), 0);
  checkCount("digests", count, MAX_DIGESTS_PER_CALL);
  return fields.flatMap((field) => {
    // One of another length is refused with its length.
    if (field.byteLength === 0 || field.byteLength % DIGEST_LENGTH > 0) return digestField(field);
    return splitDigests(field);
  });
}

/** How many digests are in a row; a field of another length counts as one. */
function digestsIn({ byteLength }: Uint8Array): number {
  return byteLength % DIGEST_LENGTH > 0 ? 1 : Math.max(1, byteLength / DIGEST_LENGTH);
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
