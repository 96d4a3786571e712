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

/** Where it is kept what NARs amount to. Imports of the command keep theirs there: what one has computed the other knows. */
const COMPUTED_SPACE = "nar";
/** The same where another store says it: whoever uses the data directory takes what is in there for computed. */
const TOLD_SPACE = "told-nar";

/** One of each for all that is served from a data directory. */
export function localParts(local: LocalStore, directory: string): StoreParts {
  const { blobs, directories } = local;
  const pathInfos = LocalPathInfoService.of(local);
  return {
    ...partsOver({ blobs, directories, pathInfos }, local),
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
  return {
    ...partsOver({ blobs, directories, pathInfos }, local, narCalculation),
    maintenance: maintenance ?? refusingMaintenance(),
    isLocal: false,
  };
}

/** @param told - computes NARs elsewhere; by default it is done here */
function partsOver(
  services: Pick<StoreParts, "blobs" | "directories" | "pathInfos">,
  local: LocalStore,
  told?: NarCalculationService,
): Omit<StoreParts, "maintenance" | "isLocal"> {
  const { blobs, directories } = services;
  const calculateNar = new RememberedNarCalculation(
    told ?? new RenderedNarCalculation({ blobs, directories }),
    local.derived(told === undefined ? COMPUTED_SPACE : TOLD_SPACE),
  );
  const stated = { pathInfos: LocalPathInfoService.of(local), calculateNar };
  const named = (space: string): NamedValues => local.named(space);
  return {
    ...services,
    calculateNar,
    narRoots: new LocalNarRoots({ blobs, directories, named }, stated),
    layouts: new NarLayouts({ blobs, directories }),
  };
}
