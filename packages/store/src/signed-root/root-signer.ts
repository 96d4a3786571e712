import { type CallOptions, CastoreError, equalBytes } from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { NarCalculationService } from "../nar-calculation.js";
import type { PathInfo } from "../path-info.js";
import type { SigningKey } from "../signature/signing-key.js";
import { withRootSignatures } from "./root-signature.js";

/** Signs the roots of path infos that are served, without storing it. */
export class RootSigner {
  readonly #calculation: NarCalculationService;
  #keys: readonly SigningKey[];
  /** What was signed, for as long as somebody holds the path info. */
  #signed = new WeakMap<PathInfo, PathInfo>();

  /** @param calculation - should remember its results: the NAR of each root is asked for before it is signed */
  constructor(keys: readonly SigningKey[], calculation: NarCalculationService) {
    this.#keys = keys;
    this.#calculation = calculation;
  }

  /** From now on others sign. */
  replaceKeys(keys: readonly SigningKey[]): void {
    this.#keys = keys;
    this.#signed = new WeakMap();
  }

  /** `pathInfo` with a root signature by each key; as it is when its root has another NAR than it says, or is damaged. */
  async sign(pathInfo: PathInfo, options: CallOptions = {}): Promise<PathInfo> {
    const keys = this.#keys;
    if (keys.length === 0) return pathInfo;
    const known = this.#signed.get(pathInfo);
    if (known !== undefined) return known;
    const signed = (await this.#isTrue(pathInfo, options))
      ? withRootSignatures(pathInfo, keys)
      : pathInfo;
    if (keys === this.#keys) this.#signed.set(pathInfo, signed);
    return signed;
  }

  async #isTrue({ node, narSize, narSha256 }: PathInfo, options: CallOptions): Promise<boolean> {
    try {
      const actual = await this.#calculation.calculateNar(node, options);
      return actual.narSize === narSize && equalBytes(actual.narSha256, narSha256);
    } catch (error) {
      options.signal?.throwIfAborted();
      // Whoever reads the content will be told.
      if (StoreError.is(error) || CastoreError.is(error)) return false;
      throw error;
    }
  }
}
