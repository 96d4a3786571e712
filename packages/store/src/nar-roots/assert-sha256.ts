import { StoreError } from "../errors.js";
import { SHA256_LENGTH } from "../sha256/sha256.js";

/**
 * Returns `sha256`.
 *
 * @throws {@link StoreError} with code "INVALID_ARGUMENT" when it is not 32 bytes long
 * @internal
 */
export function assertSha256(sha256: Uint8Array): Uint8Array {
  if (sha256.byteLength === SHA256_LENGTH) return sha256;
  throw new StoreError(
    "INVALID_ARGUMENT",
    `Invalid SHA-256: expected ${SHA256_LENGTH} bytes, got ${sha256.byteLength}`,
  );
}
