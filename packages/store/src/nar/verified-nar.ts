import { equalBytes } from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { NarCalculation } from "../nar-calculation.js";
import { createSha256 } from "../sha256/sha256.js";

/**
 * Passes a NAR on. Its last piece comes only when all of it is as stated, so that nobody who counts bytes
 * takes another one for it.
 *
 * @throws {@link StoreError} with code "CORRUPT"
 */
export async function* verifiedNar(
  nar: AsyncIterable<Uint8Array>,
  { narSha256, narSize }: NarCalculation,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createSha256();
  let length = 0n;
  let last: Uint8Array | undefined;
  for await (const bytes of nar) {
    if (last !== undefined) yield last;
    hash.update(bytes);
    length += BigInt(bytes.byteLength);
    last = bytes;
  }
  if (length !== narSize || !equalBytes(hash.digest(), narSha256)) {
    throw new StoreError("CORRUPT", "Cannot read a NAR: it is not the one that was stated");
  }
  if (last !== undefined) yield last;
}
