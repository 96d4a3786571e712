import { blake3, type CallOptions, encodeNode, equalBytes, type Node } from "@tvix/castore";
import type { DerivedCache } from "@tvix/castore/local";
import type { NarCalculation, NarCalculationService } from "../nar-calculation.js";
import { SHA256_LENGTH } from "../sha256/sha256.js";

/**
 * A result in the cache, under the BLAKE3 digest of the encoded root node:
 *
 *     size    8 bytes, little endian
 *     sha256  32 bytes
 *     check   8 bytes, the first of the BLAKE3 digest of key, size and sha256
 *
 * The cache is a part of the store that nothing else checks, and store paths follow from its answers:
 * hence the check. An entry that fails it counts as absent.
 */
const SIZE_BYTES = 8;
const CHECK_BYTES = 8;
const RESULT_BYTES = SIZE_BYTES + SHA256_LENGTH;

/** The part of a cache that is used here. */
type ResultCache = Pick<DerivedCache, "get" | "put">;

/** Computes the NAR of a root once and keeps the result in a cache. */
export class RememberedNarCalculation implements NarCalculationService {
  readonly #inner: NarCalculationService;
  readonly #cache: ResultCache;

  /** @param inner - asked for what the cache does not have */
  constructor(inner: NarCalculationService, cache: ResultCache) {
    this.#inner = inner;
    this.#cache = cache;
  }

  async calculateNar(root: Node, options: CallOptions = {}): Promise<NarCalculation> {
    options.signal?.throwIfAborted();
    const key = keyOf(root);
    const known = await this.#recall(key);
    if (known !== undefined) return known;
    const calculation = await this.#inner.calculateNar(root, options);
    await this.#cache.put(key, encode(key, calculation));
    return calculation;
  }

  /** The result for `root` if it is in the cache; computes nothing. */
  async recall(root: Node, options: CallOptions = {}): Promise<NarCalculation | undefined> {
    options.signal?.throwIfAborted();
    return await this.#recall(keyOf(root));
  }

  async #recall(key: Uint8Array): Promise<NarCalculation | undefined> {
    const value = await this.#cache.get(key);
    return value && decode(key, value);
  }

  async remember(
    root: Node,
    calculation: NarCalculation,
    options: CallOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    const key = keyOf(root);
    await this.#cache.put(key, encode(key, calculation));
  }
}

function keyOf(root: Node): Uint8Array {
  return blake3(encodeNode(root)).toBytes();
}

function encode(key: Uint8Array, { narSize, narSha256 }: NarCalculation): Uint8Array {
  const value = new Uint8Array(RESULT_BYTES + CHECK_BYTES);
  new DataView(value.buffer).setBigUint64(0, narSize, true);
  value.set(narSha256, SIZE_BYTES);
  value.set(checkOf(key, value), RESULT_BYTES);
  return value;
}

function decode(key: Uint8Array, value: Uint8Array): NarCalculation | undefined {
  if (value.byteLength !== RESULT_BYTES + CHECK_BYTES) return undefined;
  if (!equalBytes(value.subarray(RESULT_BYTES), checkOf(key, value))) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return {
    narSize: view.getBigUint64(0, true),
    narSha256: new Uint8Array(value.subarray(SIZE_BYTES, RESULT_BYTES)),
  };
}

function checkOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  const checked = new Uint8Array(key.byteLength + RESULT_BYTES);
  checked.set(key);
  checked.set(value.subarray(0, RESULT_BYTES), key.byteLength);
  return blake3(checked).toBytes().subarray(0, CHECK_BYTES);
}
