import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import { Client, type ClientWritableStream, credentials, type ServiceError } from "@grpc/grpc-js";
import {
  type BlobChunk,
  BlobChunkSchema,
  type PutBlobResponse,
  type ReadBlobRequest,
  ReadBlobRequestSchema,
  type StatBlobRequest,
  StatBlobRequestSchema,
  type StatBlobResponse,
} from "@tvix/protos/castore";
import type { BlobCalls } from "./calls.js";
import { PEER_METHODS, PEER_OPTIONS } from "./peer-settings.js";

/** Connects with `@grpc/grpc-js`. @param address - `HOST:PORT` */
export async function openPeerCalls(address: string): Promise<BlobCalls> {
  const client = new Client(address, credentials.createInsecure(), PEER_OPTIONS);
  await ready(client);
  const { stat, put, read } = PEER_METHODS;
  return {
    async stat(digest) {
      const request = create(StatBlobRequestSchema, { digest });
      await settled<StatBlobResponse>((done) =>
        client.makeUnaryRequest<StatBlobRequest, StatBlobResponse>(
          stat.path,
          stat.requestSerialize,
          stat.responseDeserialize,
          request,
          done,
        ),
      );
    },
    async put(contents) {
      let sending: Promise<void> = Promise.resolve();
      const { digest } = await settled<PutBlobResponse>((done) => {
        const call = client.makeClientStreamRequest<BlobChunk, PutBlobResponse>(
          put.path,
          put.requestSerialize,
          put.responseDeserialize,
          done,
        );
        sending = send(call, contents);
      });
      await sending;
      return digest;
    },
    async read(digest) {
      const call = client.makeServerStreamRequest<ReadBlobRequest, BlobChunk>(
        read.path,
        read.requestSerialize,
        read.responseDeserialize,
        create(ReadBlobRequestSchema, { digest }),
      );
      let length = 0;
      call.on("data", ({ data }: BlobChunk) => {
        length += data.byteLength;
      });
      await once(call, "end");
      return length;
    },
    async close() {
      client.close();
    },
  };
}

/** How long connecting may take. */
const CONNECT_MS = 10_000;

function ready(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + CONNECT_MS, (error) =>
      error === undefined ? resolve() : reject(error),
    );
  });
}

function settled<T>(
  start: (done: (error: ServiceError | null, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null && value !== undefined) resolve(value);
      else reject(error ?? new Error("Neither an answer nor an error"));
    });
  });
}

/** As fast as the server takes it. */
async function send(
  call: ClientWritableStream<BlobChunk>,
  contents: Iterable<Uint8Array>,
): Promise<void> {
  for (const data of contents) {
    if (!call.write(create(BlobChunkSchema, { data }))) await once(call, "drain");
  }
  call.end();
}
