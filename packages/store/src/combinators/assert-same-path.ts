import { equalBytes } from "@tvix/castore";
import { StoreError } from "../errors.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";

/** What a lookup is, for messages. */
export function lookupAction(outputHash: Uint8Array): string {
  return `Cannot read the path info of ${encodeNixBase32(outputHash)}`;
}

/** @throws {@link StoreError} "CORRUPT" when a store was asked about one path and answered about another */
export function assertSamePath(outputHash: Uint8Array, { storePath }: PathInfo): void {
  if (equalBytes(storePath.digestBytes(), outputHash)) return;
  const state = `the store gives that of ${storePath}`;
  throw new StoreError("CORRUPT", `${lookupAction(outputHash)}: ${state}`);
}
