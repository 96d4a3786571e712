/**
 * What keeps a store in a data directory.
 *
 * @module
 */

export { LocalStoreMaintenance, type LocalStoreParts } from "./maintenance/local.js";
export { LocalNarRoots, type LocalNarRootsStore, type StatedNars } from "./nar-roots/local.js";
export {
  LocalPathInfoService,
  type LocalPathInfoServiceOptions,
  type PathInfoStore,
} from "./pathinfoservice/local.js";
