import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore/grpc";
import { openRpcChannel, type RpcChannelOptions } from "@tvix/grpc";
import type { CastoreServices } from "@tvix/store";

/** How long to wait for a server that may not speak gRPC at all, in milliseconds. */
const CONNECT_MS = 3000;

/** Calls carry what the requests to the cache carry: a bearer token, or a user name and a password. */
function credentials(authorization: string | undefined): RpcChannelOptions {
  if (authorization === undefined) return {};
  const [, token] = /^bearer +(\S+)$/i.exec(authorization) ?? [];
  if (token !== undefined) return { token };
  return {
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", authorization);
        return next(request);
      },
    ],
  };
}

/**
 * The castore behind a binary cache that names castore nodes in its URLs: gRPC at the same host and port.
 * Whether anybody answers there shows with the first call.
 */
export async function openCastoreOf(
  cache: URL,
  authorization: string | undefined,
): Promise<CastoreServices & { readonly close: () => Promise<void> }> {
  const encrypted = cache.protocol === "https:";
  const port = cache.port === "" ? (encrypted ? 443 : 80) : Number(cache.port);
  const host = cache.hostname.replace(/^\[|\]$/g, "");
  const channel = openRpcChannel(
    { transport: "tcp", host, port, encrypted },
    {
      connectTimeoutMs: CONNECT_MS,
      ...credentials(authorization),
    },
  );
  return {
    blobs: new GrpcBlobService(channel.transport),
    directories: new GrpcDirectoryService(channel.transport),
    close: () => channel.close(),
  };
}
