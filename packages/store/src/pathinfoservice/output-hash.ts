import { StoreError } from "../errors.js";
import { STORE_PATH_DIGEST_LENGTH } from "../store-path/store-path.js";

/**
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" when `outputHash` has another length than
 *   the digest in a store path
 * @internal
 */
export function assertOutputHash(outputHash: Uint8Array): void {
  if (outputHash.byteLength === STORE_PATH_DIGEST_LENGTH) return;
  throw new StoreError(
    "INVALID_ARGUMENT",
    `Invalid output hash: expected ${STORE_PATH_DIGEST_LENGTH} bytes, got ${outputHash.byteLength}`,
  );
}
