/**
 * A server in a process of its own: `server-main.js tvix` or `server-main.js grpc-js [DATA_DIRECTORY]`.
 * Without a directory its store discards everything. Says where it listens as the daemon does.
 */
import type { BlobService } from "@tvix/castore";
import { LocalStore } from "@tvix/castore/local";
import { registerBlobService } from "@tvix/castore/rpc";
import { createRpcServer } from "@tvix/grpc";
import { DiscardingBlobService } from "./discarding-blobs.js";
import { startPeerServer } from "./peer-server.js";

/** As the daemon does it: without the right to write, each upload would begin with asking for it. */
async function openStore(folder: string): Promise<LocalStore> {
  const local = await LocalStore.open(folder);
  await local.holdForWriting();
  return local;
}

/** Our framing and handlers, with nothing around them. */
async function startOurServer(blobs: BlobService): Promise<string> {
  const server = createRpcServer({ routes: (router) => registerBlobService(router, blobs) });
  const bound = await server.listen({ host: "127.0.0.1", port: 0 });
  if (bound.transport !== "tcp") throw new Error("Cannot start a server: it has no port");
  return `${bound.host}:${bound.port}`;
}

const [, , side, directory] = process.argv;
const store = directory === undefined ? undefined : await openStore(directory);
const blobs = store?.blobs ?? new DiscardingBlobService();
const address =
  side === "tvix" ? await startOurServer(blobs) : (await startPeerServer(blobs)).address;
console.error(JSON.stringify({ msg: "ready", addresses: [`http://${address}`] }));
process.once("SIGTERM", () => {
  void Promise.resolve(store?.close()).then(() => process.exit());
});
