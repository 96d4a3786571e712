import type { CallOptions } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";

export interface PutPathInfoOptions extends CallOptions {
  /**
   * Is shown what is there right before it is replaced, with nothing in between; what it throws ends the put,
   * and leaves it. A service behind a wire cannot call it: who needs it looks before, too.
   */
  readonly onReplace?: (known: PathInfo) => void;
}

/** Knows store paths by their output hash, the digest in the path. */
export interface PathInfoService {
  /**
   * What is known about the store path with that digest; `undefined` when nothing is. Absence is
   * not an error.
   *
   * @param outputHash - 20 bytes
   * @throws {@link StoreError} "INVALID_ARGUMENT" when it has another length, "CORRUPT" when what is
   *   stored is damaged or belongs to another path
   */
  get(outputHash: Uint8Array, options?: CallOptions): Promise<PathInfo | undefined>;

  /**
   * What {@link get} would give, if it has given that out before and it can be said without waiting that it is
   * still so; `undefined` otherwise, and in services that cannot say.
   */
  peek?(outputHash: Uint8Array): PathInfo | undefined;

  /**
   * Stores `pathInfo`, in place of what was known under the same digest. When the promise fulfils it
   * is as durable as the implementation makes it.
   *
   * What was known of the same path with the same NAR and references adds to it: its signatures, and
   * deriver and content address where `pathInfo` has none. No signature is lost when several are put at the
   * same time. Services of others may just replace.
   *
   * @returns what is stored now; a service may have added signatures
   * @throws {@link StoreError} "MISSING_REFERENCE" when the root is not stored yet, where the
   *   implementation checks that
   */
  put(pathInfo: PathInfo, options?: PutPathInfoOptions): Promise<PathInfo>;

  /** All of them, in the byte order of the output hashes. Puts under way may be seen or not. */
  list(options?: CallOptions): AsyncIterable<PathInfo>;
}
