/** Longest name of a file, in bytes (NAME_MAX of linux/limits.h). */
export const MAX_NAME_LENGTH = 255;

/** Longest name of an extended attribute, in bytes (XATTR_NAME_MAX of linux/limits.h). */
export const MAX_XATTR_NAME_LENGTH = 255;

/** Pages of one READ, fuse_init_out.max_pages: the most that Linux takes (fs.fuse.max_pages_limit). */
export const MAX_PAGES = 256;

/** Most bytes of one READ: {@link MAX_PAGES} of the largest size there is, 64 KiB on arm64 and ppc64. */
export const MAX_READ_SIZE: number = MAX_PAGES * 65_536;

/** Most bytes of one listing. A larger buffer is filled to here; the kernel asks again. */
export const MAX_LISTING_SIZE = 1_048_576;

/** Bytes of one WRITE, fuse_init_out.max_write: the least that Linux takes, since all are refused. */
export const MAX_WRITE = 4096;

/** Read-ahead and other requests that nobody waits for, under way at once: fuse_init_out.max_background. */
export const MAX_BACKGROUND = 64;

/** From how many on the kernel holds back read-ahead: fuse_init_out.congestion_threshold, three quarters as in Linux. */
export const CONGESTION_THRESHOLD = 48;

/**
 * fuse_init_out.max_readahead, in bytes. The kernel takes the smaller of this and its own setting, which root
 * can raise later, up to here.
 */
export const MAX_READAHEAD = 8_388_608;

/** Longest time for which an answer holds, in seconds: 68 years, within every kernel's arithmetic. */
export const MAX_VALID_SECONDS = 0x7fff_ffff;
