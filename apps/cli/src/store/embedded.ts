import { type DerivedCache, LocalStore, type LocalStoreOptions } from "@tvix/castore/local";
import { RememberedNarCalculation, RenderedNarCalculation } from "@tvix/store";
import { LocalPathInfoService, LocalStoreMaintenance } from "@tvix/store/local";
import type { Diagnostics } from "../io/diagnostics.js";
import type { OpenStore } from "./open-store.js";
import { recoveryNote } from "./recovery-note.js";

/**
 * Opens the store of a data directory in this process.
 *
 * @param notes - is told what had to be put in order; `undefined` to keep quiet
 */
export async function openEmbedded(
  directory: string,
  options: LocalStoreOptions,
  notes: Diagnostics | undefined,
): Promise<OpenStore> {
  const local = await LocalStore.open(directory, options);
  const { blobs, directories } = local;
  const pathInfos = LocalPathInfoService.of(local);
  const rendered = new RenderedNarCalculation(local);
  return {
    place: directory,
    blobs,
    directories,
    pathInfos,
    narCalculation: new RememberedNarCalculation(rendered, narResults(local, options)),
    maintenance: new LocalStoreMaintenance({ directory, local, pathInfos }),
    statCache: local.derived("stat"),
    counts() {
      const { added, known } = local.counters;
      return {
        newObjects: added.records,
        newBytes: added.rawBytes,
        knownObjects: known.records,
        knownBytes: known.rawBytes,
      };
    },
    async close() {
      const note = recoveryNote(local.recovery);
      if (note !== undefined) notes?.line(`tvix: ${note}`);
      await local.close();
    },
  };
}

/** Where hashes of NARs are kept; a store that is only read keeps none. */
function narResults(
  local: LocalStore,
  { readOnly }: LocalStoreOptions,
): Pick<DerivedCache, "get" | "put"> {
  const results = local.derived("nar");
  if (readOnly !== true) return results;
  return { get: (key) => results.get(key), put: async () => {} };
}
