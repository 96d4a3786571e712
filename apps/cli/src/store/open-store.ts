import type { CallOptions } from "@tvix/castore";
import type { DerivedCache } from "@tvix/castore/local";
import type { CastoreServices, PathInfoService, StoreMaintenance } from "@tvix/store";
import type { ImportServices } from "@tvix/store/fs";

/** What was stored through one open store since it was opened. */
export interface StoreCounts {
  /** Blobs, chunks, Directories and path infos that are new. */
  readonly newObjects: number;
  /** Their bytes before compression. */
  readonly newBytes: number;
  /** Those that the store had already. */
  readonly knownObjects: number;
  readonly knownBytes: number;
}

/** A store, open: the one of a data directory in this process, one behind a daemon, or one of several parts. */
export interface OpenStore extends CastoreServices, ImportServices {
  /** Where it is, for messages: a directory or an address. */
  readonly place: string;
  readonly pathInfos: PathInfoService;
  readonly maintenance: StoreMaintenance;
  /** What imports remember of the trees they read. */
  readonly statCache: DerivedCache;
  /** `undefined` where nobody counts: a store that is put together from others. */
  counts(): StoreCounts | undefined;
  /** Ends what is under way; {@link OpenStore} is of no use afterwards. */
  close(options?: CallOptions): Promise<void>;
}
