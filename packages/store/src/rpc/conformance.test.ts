import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { GrpcPathInfoService } from "../grpc/path-info-service.js";
import { LocalPathInfoService } from "../pathinfoservice/local.js";
import { MemoryPathInfoService } from "../pathinfoservice/memory.js";
import { type GrpcServer, serveGrpc } from "../testing/grpc-server.js";
import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { registerPathInfoService } from "./path-info-service.js";

const OPTIONS = { noReplaceHook: { reason: "the server does not ask back" } };

const client = (server: GrpcServer) => new GrpcPathInfoService(server.transport);

pathInfoServiceSuite(
  "grpc to memory",
  async () => {
    const roots = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    const server = await serveGrpc((router) => {
      registerPathInfoService(router, new MemoryPathInfoService(), { roots });
    });
    return { service: client(server), roots, close: () => server.close() };
  },
  OPTIONS,
);

pathInfoServiceSuite(
  "grpc to local",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "tvix-rpc-"));
    const open = async () => {
      const roots = await LocalStore.open(directory);
      const pathInfos = new LocalPathInfoService(roots.pathInfoRecords, { roots });
      const server = await serveGrpc((router) => registerPathInfoService(router, pathInfos));
      return { roots, server };
    };
    let current = await open();
    const close = async () => {
      await current.server.close();
      await current.roots.close();
    };
    return {
      service: client(current.server),
      roots: current.roots,
      reopen: async () => {
        await close();
        current = await open();
        return client(current.server);
      },
      close: async () => {
        await close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
  OPTIONS,
);
