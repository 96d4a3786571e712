import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { directoryServiceSuite } from "../testing/directory-service-suite.js";
import { LocalStore, type LocalStoreOptions } from "./local-store.js";

const MIB = 1024 * 1024;

/** A store in a directory of its own, and what the suites want to know of it. */
async function openFresh<T>(options: LocalStoreOptions, view: (store: LocalStore) => T) {
  const directory = await mkdtemp(join(tmpdir(), "tvix-local-"));
  let store = await LocalStore.open(directory, options);
  return {
    service: view(store),
    reopen: async () => {
      await store.close();
      store = await LocalStore.open(directory, options);
      return view(store);
    },
    close: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

// Packs of 1 MiB, so that the larger tests go through several of them.
describeStore("local, compressed", { packLimit: MIB });
describeStore("local, not compressed", { packLimit: MIB, compression: false });

function describeStore(name: string, options: LocalStoreOptions): void {
  blobServiceSuite(name, () => openFresh(options, (store) => store.blobs), { chunking: true });
  directoryServiceSuite(name, () => openFresh(options, (store) => store.directories));
}
