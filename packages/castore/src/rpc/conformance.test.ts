import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobService } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import { GrpcBlobService } from "../grpc/blob-service.js";
import { GrpcDirectoryService } from "../grpc/directory-service.js";
import { LocalStore } from "../localstore/local-store.js";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { directoryServiceSuite } from "../testing/directory-service-suite.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { registerBatchService } from "./batch-service.js";
import { registerBlobService } from "./blob-service.js";
import { registerDirectoryService } from "./directory-service.js";
import { registerRangeService } from "./range-service.js";

interface Backend {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** @param ours - whether there are the services that are additions of ours */
function serve(backend: Backend, ours: boolean): Promise<GrpcServer> {
  return serveGrpc((router) => {
    registerBlobService(router, backend.blobs);
    registerDirectoryService(router, backend.directories);
    if (!ours) return;
    registerBatchService(router, backend);
    registerRangeService(router, backend.blobs);
  });
}

async function overMemory<T>(ours: boolean, client: (server: GrpcServer) => T) {
  const backend = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
  const server = await serve(backend, ours);
  return { service: client(server), close: () => server.close() };
}

async function overLocal<T>(client: (server: GrpcServer) => T) {
  const directory = await mkdtemp(join(tmpdir(), "tvix-rpc-"));
  let store = await LocalStore.open(directory);
  let server = await serve(store, true);
  const close = async () => {
    await server.close();
    await store.close();
  };
  return {
    service: client(server),
    reopen: async () => {
      await close();
      store = await LocalStore.open(directory);
      server = await serve(store, true);
      return client(server);
    },
    close: async () => {
      await close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const blobs = (server: GrpcServer) => new GrpcBlobService(server.transport);
const directories = (server: GrpcServer) => new GrpcDirectoryService(server.transport);

blobServiceSuite("grpc to memory", () => overMemory(true, blobs));
blobServiceSuite("grpc to memory, services of tvix", () => overMemory(false, blobs), {
  trees: false,
});
blobServiceSuite("grpc to local", () => overLocal(blobs), { chunking: true });
directoryServiceSuite("grpc to memory", () => overMemory(true, directories));
directoryServiceSuite("grpc to local", () => overLocal(directories));
