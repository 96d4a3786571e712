/**
 * Sees a file tree go by while it is imported, in the order of a NAR: depth first, names in byte
 * order. Calls nest like the tree: `beginDirectory (entry NODE)* endDirectory`, where NODE is a
 * directory, `beginFile fileBytes* endFile`, or `symlink`. The tree as a whole is one NODE.
 */
export interface TreeObserver {
  beginDirectory(): void;
  /** The name of the node that follows. The bytes are valid during the call only. */
  entry(name: Uint8Array): void;
  endDirectory(): void;
  /** @param size - in bytes; exactly as many follow in `fileBytes` */
  beginFile(size: number, executable: boolean): void;
  /** More content. The bytes are valid during the call only. */
  fileBytes(bytes: Uint8Array): void;
  endFile(): void;
  /** The target's bytes are valid during the call only. */
  symlink(target: Uint8Array): void;
}
