import { FILE_TYPE } from "../file-system.js";

/** What a slot of the inode table holds. */
export const NODE_KIND = {
  FREE: 0,
  DIRECTORY: 1,
  FILE: 2,
  EXECUTABLE: 3,
  SYMLINK: 4,
} as const;

/** One of {@link NODE_KIND}. */
export type NodeKind = (typeof NODE_KIND)[keyof typeof NODE_KIND];

/** Bits of st_mode by kind. Nobody may write; a link is what it is on every file system of Linux. */
export const MODE: Readonly<Record<NodeKind, number>> = {
  [NODE_KIND.FREE]: 0,
  [NODE_KIND.DIRECTORY]: FILE_TYPE.DIRECTORY | 0o555,
  [NODE_KIND.FILE]: FILE_TYPE.REGULAR | 0o444,
  [NODE_KIND.EXECUTABLE]: FILE_TYPE.REGULAR | 0o555,
  [NODE_KIND.SYMLINK]: FILE_TYPE.SYMLINK | 0o777,
};
