import type { BlobService } from "@tvix/castore";

/** The calls that are measured, as both clients make them, on one connection. */
export interface BlobCalls {
  /** Rejects when there is no such blob. */
  stat(digest: Uint8Array): Promise<void>;
  /** Stores the contents, one message for each, and returns the digest that the server answers. */
  put(contents: Iterable<Uint8Array>): Promise<Uint8Array>;
  /** Returns how many bytes came. */
  read(digest: Uint8Array): Promise<number>;
  /** What our library makes of these calls; the peer has none. */
  readonly blobs?: BlobService;
  close(): Promise<void>;
}
