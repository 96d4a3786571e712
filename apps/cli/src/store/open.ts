import { LocalStore, type LocalStoreOptions } from "@tvix/castore/local";
import type { PathInfoService } from "@tvix/store";
import { LocalPathInfoService } from "@tvix/store/local";
import type { Host, Invocation } from "../command.js";
import { dataDirectory } from "../data-dir.js";
import { recoveryNote } from "./recovery-note.js";

/** The store of a data directory, open. */
export interface OpenStore {
  readonly directory: string;
  readonly local: LocalStore;
  readonly pathInfos: PathInfoService;
}

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
  const local = await LocalStore.open(directory, { purpose: invocation.purpose, ...options });
  try {
    const pathInfos = new LocalPathInfoService(local.pathInfoRecords, { roots: local });
    return await work({ directory, local, pathInfos });
  } finally {
    const note = recoveryNote(local.recovery);
    if (note !== undefined && !invocation.options.has("quiet")) host.stderr.line(`tvix: ${note}`);
    await local.close();
  }
}
