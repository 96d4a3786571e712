import { existsSync } from "node:fs";
import type { LocalStoreOptions } from "@tvix/castore/local";
import type { Host, Invocation } from "../command.js";
import { openEmbedded } from "./embedded.js";
import { describeHolder } from "./holder.js";
import type { OpenStore } from "./open-store.js";
import { daemonSocket, type StorePlace, storePlace } from "./place.js";
import { readTokenFile } from "./token-file.js";

/**
 * Opens the store, lets `work` use it and closes it again, on failure too: through the daemon that
 * the command line names or that serves the data directory, in this process where there is none.
 *
 * A store is opened for reading unless `options` say otherwise: a data directory that does not exist
 * reads as an empty store and is not created. They do not concern a daemon.
 */
export async function withStore<T>(
  invocation: Invocation,
  host: Host,
  work: (store: OpenStore) => Promise<T>,
  options: LocalStoreOptions = { readOnly: true, recover: true },
): Promise<T> {
  return await withStoreAt(storePlace(invocation.options, host), invocation, host, work, options);
}

/** {@link withStore} for another store than the one of the command line. */
export async function withStoreAt<T>(
  place: StorePlace,
  invocation: Invocation,
  host: Host,
  work: (store: OpenStore) => Promise<T>,
  options: LocalStoreOptions,
): Promise<T> {
  const store = await open(place, invocation, host, options);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Options for a command that writes: who waits for another process says so. */
export function writing({ options }: Invocation, { stderr }: Host): LocalStoreOptions {
  return {
    onWait: (holder) => {
      if (!options.has("quiet")) stderr.line(`tvix: waiting for ${describeHolder(holder)}`);
    },
  };
}

async function open(
  place: StorePlace,
  invocation: Invocation,
  host: Host,
  options: LocalStoreOptions,
): Promise<OpenStore> {
  const local = { purpose: invocation.purpose, ...options };
  const notes = invocation.options.has("quiet") ? undefined : host.stderr;
  if (place.kind === "composition") {
    const { openComposed } = await import("./composed.js");
    return await openComposed(place, { local, token: tokenOf(invocation, host), notes }, host);
  }
  if (place.kind === "daemon") {
    const { openRemote } = await import("./remote.js");
    return await openRemote(place.address, { token: tokenOf(invocation, host) }, host);
  }
  const daemon = await openDaemonOf(place, host);
  if (daemon !== undefined) return daemon;
  return await openEmbedded(place.directory, local, notes);
}

/** @returns `undefined` when no daemon serves the directory */
async function openDaemonOf(
  place: StorePlace & { readonly kind: "directory" },
  host: Host,
): Promise<OpenStore | undefined> {
  // Most of the time there is no daemon, and then its client is not loaded.
  if (place.alone || !existsSync(daemonSocket(place.directory))) return undefined;
  const { openOwnDaemon } = await import("./remote.js");
  return await openOwnDaemon(place.directory, host);
}

function tokenOf({ options }: Invocation, host: Host): string | undefined {
  const file = options.value("token-file") ?? host.env["TVIX_TOKEN_FILE"];
  return file === undefined ? undefined : readTokenFile(file);
}
