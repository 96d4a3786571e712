/** Import from the file system: needs Node. */

export { checkImportName, importName } from "./import-name.js";
export {
  type ImportPathOptions,
  type ImportResult,
  type ImportServices,
  importPath,
} from "./import-path.js";
export { publishSource, type Source, UnknownReferenceError } from "./publish-source.js";
