import type { PathComponent, SymlinkTarget } from "@tvix/castore";

/** Where a node begins. `name` is `undefined` for the root alone. */
interface NamedEvent {
  readonly name: PathComponent | undefined;
}

/** A directory begins; its entries follow, and {@link NarDirectoryEnd}. */
export interface NarDirectoryBegin extends NamedEvent {
  readonly type: "directory";
}

/** The directory that began last, of those that are open, ends. */
export interface NarDirectoryEnd {
  readonly type: "directory-end";
}

/** A file begins; its content follows in pieces, none if it is empty, and {@link NarFileEnd}. */
export interface NarFileBegin extends NamedEvent {
  readonly type: "file";
  /** Length of the content in bytes, as stated; the content has exactly that length. */
  readonly size: bigint;
  readonly executable: boolean;
}

/**
 * A piece of content, never empty: a view into the array that the source gave, not a copy. It is
 * good for as long as the source leaves that array alone, and keeps all of it in memory.
 */
export interface NarContent {
  readonly type: "content";
  readonly bytes: Uint8Array;
}

/** A file ends. */
export interface NarFileEnd {
  readonly type: "file-end";
}

/** A symbolic link. */
export interface NarSymlink extends NamedEvent {
  readonly type: "symlink";
  readonly target: SymlinkTarget;
}

/** What a NAR says, step by step, in its order. */
export type NarEvent =
  | NarDirectoryBegin
  | NarDirectoryEnd
  | NarFileBegin
  | NarContent
  | NarFileEnd
  | NarSymlink;
