import type { LocalStore, NamedValues } from "@tvix/castore/local";
import type { Composition } from "@tvix/composition";
import {
  type CastoreServices,
  type NarCalculationService,
  NarLayouts,
  type NarRoots,
  type PathInfoService,
  RememberedNarCalculation,
  RenderedNarCalculation,
  type StoreMaintenance,
} from "@tvix/store";
import { LocalNarRoots, LocalPathInfoService, LocalStoreMaintenance } from "@tvix/store/local";
import { refusingMaintenance } from "./refusing-maintenance.js";

/** What is served, and what is remembered of it. */
export interface StoreParts extends CastoreServices {
  readonly pathInfos: PathInfoService;
  readonly calculateNar: RememberedNarCalculation;
  readonly narRoots: NarRoots;
  readonly layouts: NarLayouts;
  readonly maintenance: StoreMaintenance;
  /** Whether all of it is in the data directory. */
  readonly isLocal: boolean;
}

/** One of each for all that is served from a data directory. */
export function localParts(local: LocalStore, directory: string): StoreParts {
  const { blobs, directories } = local;
  const pathInfos = LocalPathInfoService.of(local);
  return {
    ...partsOver({ blobs, directories, pathInfos }, local, new RenderedNarCalculation(local)),
    maintenance: new LocalStoreMaintenance({ directory, local, pathInfos }),
    isLocal: true,
  };
}

/**
 * One of each for all that is served from elsewhere.
 *
 * @param local - of the data directory: where it is remembered what NARs amount to
 */
export function composedParts(composition: Composition, local: LocalStore): StoreParts {
  const { blobs, directories, pathInfos, narCalculation, maintenance } = composition;
  const calculation = narCalculation ?? new RenderedNarCalculation({ blobs, directories });
  return {
    ...partsOver({ blobs, directories, pathInfos }, local, calculation),
    maintenance: maintenance ?? refusingMaintenance(),
    isLocal: false,
  };
}

function partsOver(
  services: Pick<StoreParts, "blobs" | "directories" | "pathInfos">,
  local: LocalStore,
  calculation: NarCalculationService,
): Omit<StoreParts, "maintenance" | "isLocal"> {
  const { blobs, directories } = services;
  // Where imports of the command keep theirs: what one has computed the other knows.
  const calculateNar = new RememberedNarCalculation(calculation, local.derived("nar"));
  const stated = { pathInfos: LocalPathInfoService.of(local), calculateNar };
  const named = (space: string): NamedValues => local.named(space);
  return {
    ...services,
    calculateNar,
    narRoots: new LocalNarRoots({ blobs, directories, named }, stated),
    layouts: new NarLayouts({ blobs, directories }),
  };
}
