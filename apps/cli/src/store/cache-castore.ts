import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore/grpc";
import { openRpcChannel } from "@tvix/grpc";
import type { CastoreServices } from "@tvix/store";

/** How long to wait for a server that may not speak gRPC at all, in milliseconds. */
const CONNECT_MS = 3000;

/**
 * The castore behind a binary cache that names castore nodes in its URLs: gRPC at the same host and port.
 * Whether anybody answers there shows with the first call.
 */
export async function openCastoreOf(
  cache: URL,
): Promise<CastoreServices & { readonly close: () => Promise<void> }> {
  const encrypted = cache.protocol === "https:";
  const port = cache.port === "" ? (encrypted ? 443 : 80) : Number(cache.port);
  const host = cache.hostname.replace(/^\[|\]$/g, "");
  const channel = openRpcChannel(
    { transport: "tcp", host, port, encrypted },
    { connectTimeoutMs: CONNECT_MS },
  );
  return {
    blobs: new GrpcBlobService(channel.transport),
    directories: new GrpcDirectoryService(channel.transport),
    close: () => channel.close(),
  };
}
