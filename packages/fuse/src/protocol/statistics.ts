import type { FileSystemStatistics } from "../file-system.js";
import { writeUint64 } from "./numbers.js";

/** Bytes of fuse_statfs_out. */
export const STATISTICS_SIZE = 80;

/** Writes fuse_kstatfs: `blocks, bfree, bavail, files, ffree: u64; bsize, namelen, frsize, padding: u32; spare: u32[6]`. */
export function encodeStatistics(
  view: DataView,
  offset: number,
  statistics: FileSystemStatistics,
): void {
  writeUint64(view, offset, statistics.blocks);
  writeUint64(view, offset + 8, statistics.freeBlocks);
  writeUint64(view, offset + 16, statistics.availableBlocks);
  writeUint64(view, offset + 24, statistics.files);
  writeUint64(view, offset + 32, statistics.freeFiles);
  view.setUint32(offset + 40, statistics.blockSize, true);
  view.setUint32(offset + 44, statistics.maxNameLength, true);
  view.setUint32(offset + 48, statistics.blockSize, true);
  for (let i = 52; i < STATISTICS_SIZE; i += 4) view.setUint32(offset + i, 0, true);
}
