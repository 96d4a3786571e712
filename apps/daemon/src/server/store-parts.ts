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
  const pathInfos = LocalPathInfoService.of(local);
  // Where imports of the command keep theirs: what one has computed the other knows.
  const calculateNar = new RememberedNarCalculation(
    new RenderedNarCalculation(local),
    local.derived("nar"),
  );
  return {
    pathInfos,
    calculateNar,
    narRoots: new LocalNarRoots(local, { pathInfos, calculateNar }),
    layouts: new NarLayouts(local),
  };
}
