import { createRequire } from "node:module";

/**
 * The system call statx(2) of Linux, which tells of a file without an object for it.
 *
 * @param directory - an open directory
 * @param name - of an entry of it, ending in a zero byte; empty for the directory itself
 * @param flags - of {@link STATX}
 * @param wanted - of {@link STATX}
 * @param result - {@link STATX_LENGTH} bytes for what is found
 * @returns 0, or -1 when it failed
 */
export type Statx = (
  directory: number,
  name: Uint8Array,
  flags: number,
  wanted: number,
  result: Uint8Array,
) => number;

/** From linux/fcntl.h and linux/stat.h; the same on all architectures. */
export const STATX = {
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_EMPTY_PATH: 0x1000,
  /** Type, mode, times of change of content and of anything, inode and size. */
  WANTED: 0x3c3,
} as const;

/** Length in bytes of `struct statx`. */
export const STATX_LENGTH = 256;

/**
 * Where fields of `struct statx` are (linux/stat.h), counted in words of 32 bits. The lower half of
 * what has 64 bits comes first.
 */
export const STATX_WORD = {
  mask: 0,
  /** In its lower half. */
  mode: 7,
  ino: 8,
  size: 10,
  ctimeSeconds: 24,
  ctimeNanoseconds: 26,
  mtimeSeconds: 28,
  mtimeNanoseconds: 30,
  devMajor: 34,
  devMinor: 35,
} as const;

/** The part of the package `koffi` that is used. */
interface KoffiModule {
  load(library: null): { func(declaration: string): unknown };
}

const DECLARATION =
  "int statx(int directory, const uint8_t *name, int flags, uint wanted, uint8_t *result)";

let loaded: { readonly statx: Statx | undefined } | undefined;

/**
 * The call, through an optional dependency that is loaded when it is first asked for; `undefined`
 * where that or the call is missing, and where numbers are not little-endian, as records are.
 */
export function loadStatx(): Statx | undefined {
  loaded ??= { statx: load() };
  return loaded.statx;
}

function load(): Statx | undefined {
  const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  if (process.platform !== "linux" || !isLittleEndian) return undefined;
  try {
    const koffi = createRequire(import.meta.url)("koffi") as KoffiModule;
    return koffi.load(null).func(DECLARATION) as Statx;
  } catch {
    // Not installed, not for this platform, or a C library without it: `lstat` serves as well.
    return undefined;
  }
}
