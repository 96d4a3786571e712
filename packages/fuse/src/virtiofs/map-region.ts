import { fstatSync } from "node:fs";
import type { Koffi } from "../native/koffi.js";
import { libcOf } from "../native/libc.js";
import { type GuestRegion, WINDOW_OVERLAP, WINDOW_STEP } from "./guest-memory.js";
import type { RegionPlacement } from "./region-placement.js";
import { systemCallsOf, VIRTIOFS_LINUX } from "./system-calls.js";
import { VirtiofsError } from "./virtiofs-error.js";

/**
 * Maps a region of a file that is shared with the front-end.
 *
 * The file must have all bytes of the region, since touching others ends the process; a front-end that shortens it
 * later ends this process, too.
 *
 * @throws {@link VirtiofsError} when the file is shorter, or cannot be mapped
 */
export function mapRegion(koffi: Koffi, file: number, placement: RegionPlacement): GuestRegion {
  const { fileOffset, size } = placement;
  const length = fileOffset + size;
  const stat = fstatSync(file);
  if (!stat.isFile() || stat.size < length) {
    const what = stat.isFile() ? `has ${stat.size} bytes` : "is no regular file";
    throw new VirtiofsError("memory", `Cannot map ${length} bytes of memory: the file ${what}`);
  }
  const base = mapFile(koffi, file, length);
  const { guestAddress, userAddress } = placement;
  const start = base + BigInt(fileOffset);
  return {
    guestAddress,
    size,
    userAddress,
    windows: windowsOf(koffi, start, size),
    unmap: () => void systemCallsOf(koffi).munmap(base, length),
  };
}

// From the beginning of the file: where pages are huge, mappings begin at multiples of these.
function mapFile(koffi: Koffi, file: number, length: number): bigint {
  const { PROT_READ_WRITE, MAP_SHARED, MAP_NORESERVE } = VIRTIOFS_LINUX;
  const flags = MAP_SHARED | MAP_NORESERVE;
  const base = BigInt(systemCallsOf(koffi).mmap(0, length, PROT_READ_WRITE, flags, file, 0));
  if (base !== -1n) return base;
  const errno = libcOf(koffi).errno();
  throw new VirtiofsError("memory", `Cannot map ${length} bytes of memory: errno ${errno}`);
}

function windowsOf(koffi: Koffi, start: bigint, size: number): readonly Uint8Array[] {
  const windows: Uint8Array[] = [];
  for (let at = 0; at < size; at += WINDOW_STEP) {
    const length = Math.min(WINDOW_STEP + WINDOW_OVERLAP, size - at);
    windows.push(new Uint8Array(koffi.view(start + BigInt(at), length)));
  }
  return windows;
}
