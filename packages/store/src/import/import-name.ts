import { escapeBytes, toUtf8 } from "@tvix/castore";
import { StoreError } from "../errors.js";
import { parseStorePathName } from "../store-path/store-path.js";

const SLASH = 0x2f;
const DERIVATION_SUFFIX = ".drv";

/**
 * The name that importing `path` gives: its last component, taken literally as `nix-store --add`
 * does. One slash at the end is dropped; `dir/.` is named `.`.
 *
 * @throws {@link InvalidStorePathError} when no store path may have that name
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" for the name of a derivation
 */
export function importName(path: string | Uint8Array): string {
  const bytes = typeof path === "string" ? toUtf8(path) : path;
  const end = bytes.at(-1) === SLASH ? bytes.byteLength - 1 : bytes.byteLength;
  const slash = bytes.subarray(0, end).lastIndexOf(SLASH);
  return checkImportName(bytes.subarray(slash + 1, end));
}

/**
 * Checks a name that something is to be imported under.
 *
 * @throws {@link InvalidStorePathError} when no store path may have it
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" for the name of a derivation: Nix takes
 *   such a path only when the file is a derivation with the right outputs, which is not checked here
 */
export function checkImportName(name: string | Uint8Array): string {
  const checked = parseStorePathName(name);
  if (checked.endsWith(DERIVATION_SUFFIX)) {
    throw new StoreError(
      "INVALID_ARGUMENT",
      `Cannot import under the name "${escapeBytes(toUtf8(checked))}": one that ends in ${DERIVATION_SUFFIX} is for derivations`,
    );
  }
  return checked;
}
