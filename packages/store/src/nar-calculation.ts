import type { CallOptions, Node } from "@tvix/castore";

/** What the NAR of a tree amounts to. */
export interface NarCalculation {
  /** Length in bytes. */
  readonly narSize: bigint;
  /** SHA-256 of the whole: 32 bytes. */
  readonly narSha256: Uint8Array;
}

/** Finds size and SHA-256 of the NAR of a tree that is in castore. */
export interface NarCalculationService {
  /**
   * @throws {@link NarRenderError} when part of the tree is missing or not as it should be
   */
  calculateNar(root: Node, options?: CallOptions): Promise<NarCalculation>;

  /**
   * Tells what the NAR of `root` amounts to where that is known from elsewhere. Implementations that
   * keep results keep this one as well; others ignore it.
   */
  remember(root: Node, calculation: NarCalculation, options?: CallOptions): Promise<void>;
}
