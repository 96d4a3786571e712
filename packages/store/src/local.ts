/**
 * What keeps a store in a data directory.
 *
 * @module
 */

export { LocalStoreMaintenance, type LocalStoreParts } from "./maintenance/local.js";
export { LocalPathInfoService, type LocalPathInfoServiceOptions } from "./pathinfoservice/local.js";
