import { connect } from "node:net";
import { resolve } from "node:path";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore/grpc";
import {
  openRpcChannel,
  parseRpcAddress,
  type RpcAddress,
  RpcAddressError,
  type RpcChannel,
  type RpcChannelOptions,
} from "@tvix/grpc";
import { RememberedNarCalculation } from "@tvix/store";
import { GrpcNarCalculation, GrpcPathInfoService, GrpcStoreMaintenance } from "@tvix/store/grpc";
import type { DataDirSources } from "../data-dir.js";
import { UsageError } from "../exit.js";
import type { OpenStore } from "./open-store.js";
import { daemonSocket } from "./place.js";
import { openSideCache, type SideCache } from "./side-cache.js";

/**
 * Opens the store behind a daemon. What imports remember of the trees they read is kept on this side,
 * in a cache directory of its own for each address.
 *
 * @throws {@link UsageError} for an address that cannot be parsed
 */
export async function openRemote(
  address: string,
  options: RpcChannelOptions,
  sources: DataDirSources,
): Promise<OpenStore> {
  const channel = openRpcChannel(parseAddress(address), options);
  return storeBehind(channel, address, await openSideCache(address, sources));
}

function parseAddress(address: string): RpcAddress {
  try {
    return parseRpcAddress(address);
  } catch (error) {
    if (!(error instanceof RpcAddressError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/**
 * Opens the store of a data directory through the daemon that serves it.
 *
 * @returns `undefined` when nobody answers at its socket: the daemon has ended without removing it
 */
export async function openOwnDaemon(
  directory: string,
  sources: DataDirSources,
): Promise<OpenStore | undefined> {
  const path = resolve(daemonSocket(directory));
  if (!(await isAnswering(path))) return undefined;
  const channel = openRpcChannel({ transport: "unix", path });
  // Relative, it would stand for another store in each working directory.
  return storeBehind(channel, directory, await openSideCache(resolve(directory), sources));
}

/** Whether anybody listens on a socket. */
export function isAnswering(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      settle(true);
    });
    // Whatever keeps us from the socket, opening the directory will tell if it matters there.
    socket.once("error", () => settle(false));
  });
}

/** The store behind an open channel, which closes with it, as `cache` does. */
function storeBehind(channel: RpcChannel, place: string, cache: SideCache): OpenStore {
  const { transport } = channel;
  const blobs = new GrpcBlobService(transport);
  const directories = new GrpcDirectoryService(transport);
  return {
    place,
    blobs,
    directories,
    pathInfos: new GrpcPathInfoService(transport),
    narCalculation: new RememberedNarCalculation(
      new GrpcNarCalculation(transport),
      cache.derived("nar"),
    ),
    maintenance: new GrpcStoreMaintenance(transport),
    statCache: cache.derived("stat"),
    counts() {
      const [b, d] = [blobs.counters, directories.counters];
      return {
        newObjects: b.added.objects + d.added.objects,
        newBytes: b.added.bytes + d.added.bytes,
        knownObjects: b.known.objects + d.known.objects,
        knownBytes: b.known.bytes + d.known.bytes,
      };
    },
    async close() {
      await cache.close();
      await channel.close();
    },
  };
}
