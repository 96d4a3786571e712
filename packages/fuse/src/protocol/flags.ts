/** Features that kernel and file system agree on in INIT: FUSE_* of linux/fuse.h, bits of fuse_init_in.flags. */
export const INIT_FLAG = {
  ASYNC_READ: 0x1,
  DO_READDIRPLUS: 0x2000,
  NO_OPEN_SUPPORT: 0x20000,
  PARALLEL_DIROPS: 0x40000,
  MAX_PAGES: 0x400000,
  CACHE_SYMLINKS: 0x800000,
  NO_OPENDIR_SUPPORT: 0x1000000,
  EXPLICIT_INVAL_DATA: 0x2000000,
  /** The message goes on after `flags`: `flags2` and more. */
  INIT_EXT: 0x40000000,
} as const;

/** What the kernel may do with an open file: FOPEN_* of linux/fuse.h, bits of fuse_open_out.open_flags. */
export const OPEN_REPLY_FLAG = {
  KEEP_CACHE: 0x2,
  CACHE_DIR: 0x8,
  /** Closing does not ask for FLUSH. Passed over before 7.35. */
  NOFLUSH: 0x20,
} as const;

/** Bits of open(2), from asm-generic/fcntl.h. */
export const OPEN_FLAG = {
  /** O_ACCMODE: 0 says that the file is only read. */
  ACCESS_MODE: 0o3,
  TRUNCATE: 0o1000,
} as const;

/** W_OK of access(2). */
export const ACCESS_WRITE = 2;

/** SEEK_DATA and SEEK_HOLE of lseek(2), the two ways that reach a file system. */
export const SEEK = { DATA: 3, HOLE: 4 } as const;
