import type { LocalStore } from "@tvix/castore/local";
import { NarLayouts, RememberedNarCalculation, RenderedNarCalculation } from "@tvix/store";
import { LocalNarRoots, LocalPathInfoService } from "@tvix/store/local";

/** What is kept in a local store besides blobs and Directories, and what is remembered of it. */
export interface StoreParts {
  readonly pathInfos: LocalPathInfoService;
  readonly calculateNar: RememberedNarCalculation;
  readonly narRoots: LocalNarRoots;
  readonly layouts: NarLayouts;
}

/** One of each for all that is served. */
export function storeParts(local: LocalStore): StoreParts {
  return {
    pathInfos: new LocalPathInfoService(local.pathInfoRecords, { roots: local }),
    // Where imports of the command keep theirs: what one has computed the other knows.
    calculateNar: new RememberedNarCalculation(
      new RenderedNarCalculation(local),
      local.derived("nar"),
    ),
    narRoots: new LocalNarRoots(local),
    layouts: new NarLayouts(local),
  };
}
