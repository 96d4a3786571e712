import type { LocalStoreOptions } from "@tvix/castore/local";
import type { Host, Invocation } from "../command.js";
import { dataDirectory } from "../data-dir.js";
import { openEmbedded } from "./embedded.js";
import type { OpenStore } from "./open-store.js";

/**
 * Opens the store, lets `work` use it and closes it again, on failure too.
 *
 * A store is opened for reading unless `options` say otherwise: a data directory that does not exist
 * reads as an empty store and is not created.
 */
export async function withStore<T>(
  invocation: Invocation,
  host: Host,
  work: (store: OpenStore) => Promise<T>,
  options: LocalStoreOptions = { readOnly: true, recover: true },
): Promise<T> {
  const directory = dataDirectory(invocation.options.value("data-dir"), host);
  const notes = invocation.options.has("quiet") ? undefined : host.stderr;
  const store = await openEmbedded(directory, { purpose: invocation.purpose, ...options }, notes);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
