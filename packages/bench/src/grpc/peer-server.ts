import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import {
  type sendUnaryData as Answer,
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { B3Digest, type BlobService } from "@tvix/castore";
import {
  type BlobChunk,
  BlobChunkSchema,
  type PutBlobResponse,
  PutBlobResponseSchema,
  type ReadBlobRequest,
  type StatBlobRequest,
  type StatBlobResponse,
  StatBlobResponseSchema,
} from "@tvix/protos/castore";
import { PEER_METHODS, PEER_OPTIONS } from "./peer-settings.js";

/** How much content goes into one message, as in our server. */
const MESSAGE_BYTES = 1024 * 1024;

/** A server of the peer. */
export interface PeerServer {
  /** `HOST:PORT`. */
  readonly address: string;
  /** Ends it at once. */
  stop(): void;
}

/** Serves blobs with `@grpc/grpc-js` on a free port of the loopback. */
export function startPeerServer(blobs: BlobService): Promise<PeerServer> {
  const server = new Server(PEER_OPTIONS);
  server.addService(PEER_METHODS, {
    stat(call: ServerUnaryCall<StatBlobRequest, StatBlobResponse>, done: Answer<StatBlobResponse>) {
      answer(stat(blobs, call.request), done);
    },
    put(call: ServerReadableStream<BlobChunk, PutBlobResponse>, done: Answer<PutBlobResponse>) {
      answer(put(blobs, call), done);
    },
    read(call: ServerWritableStream<ReadBlobRequest, BlobChunk>) {
      read(blobs, call).catch((error: Error) => call.destroy(error));
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) {
        resolve({ address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() });
      } else {
        reject(error);
      }
    });
  });
}

function answer<T>(work: Promise<T>, done: Answer<T>): void {
  work.then(
    (message) => done(null, message),
    (error: Error) => done(Object.assign(error, { code: codeOf(error) })),
  );
}

function codeOf(error: Error): status {
  return error instanceof NotFound ? status.NOT_FOUND : status.INTERNAL;
}

class NotFound extends Error {
  override readonly name: string = "NotFound";
}

async function stat(blobs: BlobService, { digest }: StatBlobRequest): Promise<StatBlobResponse> {
  const chunks = await blobs.chunks(B3Digest.fromBytes(digest));
  if (chunks === undefined) throw new NotFound("blob not found");
  return create(StatBlobResponseSchema, {
    chunks: chunks.map((chunk) => ({ digest: chunk.digest.toBytes(), size: BigInt(chunk.size) })),
  });
}

async function put(
  blobs: BlobService,
  call: ServerReadableStream<BlobChunk, PutBlobResponse>,
): Promise<PutBlobResponse> {
  const digest = await blobs.put(contentsOf(call));
  return create(PutBlobResponseSchema, { digest: digest.toBytes() });
}

async function* contentsOf(messages: AsyncIterable<BlobChunk>): AsyncGenerator<Uint8Array> {
  for await (const { data } of messages) yield data;
}

async function read(
  blobs: BlobService,
  call: ServerWritableStream<ReadBlobRequest, BlobChunk>,
): Promise<void> {
  const reader = await blobs.openRead(B3Digest.fromBytes(call.request.digest));
  if (reader === undefined) throw new NotFound("blob not found");
  for await (const piece of reader.stream()) {
    for (let at = 0; at < piece.byteLength; at += MESSAGE_BYTES) {
      const data = piece.subarray(at, at + MESSAGE_BYTES);
      if (!call.write(create(BlobChunkSchema, { data }))) await once(call, "drain");
    }
  }
  call.end();
}
