import { PAGE_SIZE } from "./guest-memory.js";
import type { RegionDescription } from "./vhost-user-codec.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** A region whose numbers make sense; whether its file has the bytes is not known yet. */
export interface RegionPlacement {
  readonly guestAddress: number;
  /** In bytes, at least 1. */
  readonly size: number;
  readonly userAddress: bigint;
  /** A multiple of {@link PAGE_SIZE}. */
  readonly fileOffset: number;
}

const USER_ADDRESSES = 2n ** 64n;

/**
 * Checks what the front-end says of a region.
 *
 * @throws {@link VirtiofsError} when it is empty, begins within a page, or ends beyond the numbers that are exact
 */
export function placeRegion(region: RegionDescription): RegionPlacement {
  const { guestAddress, size, userAddress, fileOffset } = region;
  if (size === 0n) throw bad(region, "it is empty");
  for (const address of [guestAddress, userAddress, fileOffset]) {
    if (address % BigInt(PAGE_SIZE) !== 0n) throw bad(region, "it begins within a page");
  }
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  if (guestAddress + size > limit || fileOffset + size > limit) throw bad(region, "it is too long");
  if (userAddress + size > USER_ADDRESSES) throw bad(region, "it is too long");
  return {
    guestAddress: Number(guestAddress),
    size: Number(size),
    userAddress,
    fileOffset: Number(fileOffset),
  };
}

function bad(region: RegionDescription, why: string): VirtiofsError {
  const place = `0x${region.guestAddress.toString(16)} with ${region.size} bytes`;
  return new VirtiofsError("memory", `Cannot use the region of memory at ${place}: ${why}`);
}
