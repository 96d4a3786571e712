import type { CallOptions, Node } from "@tvix/castore";

/** What a NAR is in castore. */
export interface NarRoot {
  readonly root: Node;
  /** Length of the NAR in bytes. */
  readonly narSize: bigint;
}

/**
 * Knows which NARs are stored: from the hash of a NAR to the root of its tree, and from the hash of a
 * file that holds a NAR, compressed in some way, to the hash of the NAR.
 *
 * Only who has computed the hashes may put: everybody believes what is found here.
 */
export interface NarRoots {
  /**
   * The root of the NAR with that SHA-256; `undefined` when none is known, and when its root is not
   * stored any more, so that whoever asks uploads it again.
   *
   * @param narSha256 - 32 bytes
   */
  get(narSha256: Uint8Array, options?: CallOptions): Promise<NarRoot | undefined>;

  /** Remembers a NAR whose tree is stored, all of it. It is as durable as that when this fulfils. */
  put(narSha256: Uint8Array, nar: NarRoot, options?: CallOptions): Promise<void>;

  /** SHA-256 of the NAR in the file with that SHA-256; `undefined` when no such file came. */
  getFile(fileSha256: Uint8Array, options?: CallOptions): Promise<Uint8Array | undefined>;

  /** Remembers which NAR was in a file. The file itself is kept nowhere. */
  putFile(fileSha256: Uint8Array, narSha256: Uint8Array, options?: CallOptions): Promise<void>;
}
