import { createClient } from "@connectrpc/connect";
import { GrpcBlobService } from "@tvix/castore/grpc";
import { openRpcChannel } from "@tvix/grpc";
import { BlobService } from "@tvix/protos/castore";
import type { BlobCalls } from "./calls.js";

/** Connects with `@tvix/grpc`, default settings. @param address - `HOST:PORT` */
export async function openOurCalls(address: string): Promise<BlobCalls> {
  const channel = openRpcChannel(`grpc+http://${address}`);
  await channel.connect();
  const client = createClient(BlobService, channel.transport);
  return {
    async stat(digest) {
      await client.stat({ digest });
    },
    async put(contents) {
      return (await client.put(messages(contents))).digest;
    },
    async read(digest) {
      let length = 0;
      for await (const { data } of client.read({ digest })) length += data.byteLength;
      return length;
    },
    blobs: new GrpcBlobService(channel.transport),
    close: () => channel.close(),
  };
}

async function* messages(contents: Iterable<Uint8Array>): AsyncGenerator<{ data: Uint8Array }> {
  for (const data of contents) yield { data };
}
