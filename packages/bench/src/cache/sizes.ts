const MIB = 1024 * 1024;

/** How much is done. */
export interface CacheSizes {
  /** Most paths of the closure besides its large one. */
  readonly paths: number;
  /** Most files in one of them. */
  readonly filesOfPath: number;
  /** What is in the large path; all of the large file where that has less. */
  readonly largeBytes: number;
  readonly wrkSeconds: number;
  /** Content of the NARs that are sent alone. */
  readonly narBytes: readonly number[];
}

/** What is measured. */
export const FULL_SIZES: CacheSizes = {
  paths: 1000,
  filesOfPath: 100_000,
  largeBytes: 256 * MIB,
  wrkSeconds: 3,
  narBytes: [64 * MIB, 256 * MIB, 1024 * MIB],
};

/** To see whether all goes well: what comes out says nothing. */
export const QUICK_SIZES: CacheSizes = {
  paths: 12,
  filesOfPath: 50,
  largeBytes: 8 * MIB,
  wrkSeconds: 1,
  narBytes: [MIB, 4 * MIB],
};
