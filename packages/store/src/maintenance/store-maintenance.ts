import type { CallOptions } from "@tvix/castore";

/** How much a store holds and what it takes; sizes in bytes. */
export interface StoreFigures {
  /** Where the store is kept, for people. */
  readonly dataDirectory: string;
  readonly pathInfos: number;
  readonly directories: number;
  /** Blobs of one piece, and pieces of larger ones. */
  readonly chunks: number;
  /** Blobs that are kept as a list of chunks. */
  readonly chunkedBlobs: number;
  readonly packs: number;
  /** What the store paths would take as NARs, each by itself; 0 unless it was asked for. */
  readonly narBytes: number;
  /** All content, each piece once, before compression. */
  readonly rawBytes: number;
  /** The same as it is stored. */
  readonly storedBytes: number;
  /** All files of the store, its index included. */
  readonly diskBytes: number;
}

/** Something that is wrong in a store. */
export interface StoreFinding {
  /**
   * - `index`: the index is damaged; it can be made again from the packs.
   * - `pack`: a pack is missing, short, or holds bytes that no record accounts for.
   * - `record`: a record cannot be read or is not what its key says.
   * - `reference`: something refers to what is not stored, or is not what it says.
   */
  readonly type: "index" | "pack" | "record" | "reference";
  /** Name of the pack, where one is concerned. */
  readonly pack?: string;
  /** Digest or key of what is concerned. */
  readonly subject?: string;
  /** For people; what came from outside is escaped. */
  readonly message: string;
}

/** How far a check has come. */
export interface StoreCheckProgress {
  readonly records: number;
  readonly totalRecords: number;
  /** Bytes read. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface StoreCheckOptions extends CallOptions {
  /** Whether to render every NAR and compare it as well; as dear as reading every store path. */
  readonly nars?: boolean;
  /** Called now and then. */
  readonly onProgress?: (progress: StoreCheckProgress) => void;
}

export interface DescribeOptions extends CallOptions {
  /** Whether to add up the NARs of all store paths, which takes time in proportion to their number. */
  readonly narBytes?: boolean;
}

/** Answers about a store as a whole. */
export interface StoreMaintenance {
  /** How much the store holds. */
  describe(options?: DescribeOptions): Promise<StoreFigures>;

  /** Reads and verifies the whole store; yields what is wrong. */
  check(options?: StoreCheckOptions): AsyncIterable<StoreFinding>;
}
