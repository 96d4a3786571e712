import { type CallOptions, CastoreError, equalBytes, type Node } from "@tvix/castore";
import type { NamedValues } from "@tvix/castore/local";
import { StoreError } from "../errors.js";
import { NarRenderError } from "../nar/nar-render-error.js";
import type { CastoreServices } from "../nar/renderer.js";
import type { NarCalculation } from "../nar-calculation.js";
import { encodeNixBase32 } from "../nixbase32.js";
import type { PathInfo } from "../path-info.js";
import { SHA256_LENGTH } from "../sha256/sha256.js";
import { assertSha256 } from "./assert-sha256.js";
import { isRootStored } from "./is-root-stored.js";
import { decodeNarRoot, encodeNarRoot } from "./nar-root-codec.js";
import type { NarRoot, NarRoots } from "./nar-roots.js";

/** The part of a `LocalStore` that is used here. */
export interface LocalNarRootsStore extends CastoreServices {
  named(space: string): NamedValues;
}

/**
 * Path infos that say which NAR their path has, as who has put them said, and what finds out whether that
 * is true.
 */
export interface StatedNars {
  readonly pathInfos: {
    findByNar(narSha256: Uint8Array, options?: CallOptions): Promise<PathInfo | undefined>;
  };
  readonly calculateNar: {
    calculateNar(root: Node, options?: CallOptions): Promise<NarCalculation>;
    recall(root: Node, options?: CallOptions): Promise<NarCalculation | undefined>;
  };
}

/**
 * NARs above this size are not computed to answer a question, for which clients wait: Nix gives up when
 * nothing comes for five minutes. They are uploaded again.
 */
const MAX_COMPUTED_NAR_SIZE: bigint = 16n * 1024n ** 3n;

/** Names in both spaces are hashes in nixbase32. */
const NAR_SPACE = "nar-root";
const FILE_SPACE = "nar-file";

/**
 * Keeps what is known of NARs in the packs of the local store, as durable as their content: other
 * processes on the same directory, and later ones, know what this one was told.
 */
export class LocalNarRoots implements NarRoots {
  readonly #services: CastoreServices;
  readonly #nars: NamedValues;
  readonly #files: NamedValues;
  readonly #stated: StatedNars | undefined;

  /**
   * @param stated - where NARs are looked for that nobody has uploaded: those of paths that were imported or
   *   copied. None of them is believed before it was computed, once.
   */
  constructor(local: LocalNarRootsStore, stated?: StatedNars) {
    this.#services = local;
    this.#stated = stated;
    this.#nars = local.named(NAR_SPACE);
    this.#files = local.named(FILE_SPACE);
  }

  async get(narSha256: Uint8Array, options: CallOptions = {}): Promise<NarRoot | undefined> {
    const value = await this.#nars.get(nameOf(narSha256), options);
    const nar = value && decodeNarRoot(value);
    if (nar !== undefined && (await isRootStored(this.#services, nar.root, options))) return nar;
    return await this.#findStated(narSha256, options);
  }

  async #findStated(narSha256: Uint8Array, options: CallOptions): Promise<NarRoot | undefined> {
    const stated = await this.#stated?.pathInfos.findByNar(narSha256, options);
    if (this.#stated === undefined || stated === undefined) return undefined;
    const { node: root, narSize } = stated;
    if (!(await isRootStored(this.#services, root, options))) return undefined;
    const { calculateNar } = this.#stated;
    const isCheap = narSize <= MAX_COMPUTED_NAR_SIZE;
    const actual = isCheap
      ? await computed(() => calculateNar.calculateNar(root, options))
      : await calculateNar.recall(root, options);
    if (actual === undefined || !equalBytes(actual.narSha256, narSha256)) return undefined;
    return { root, narSize: actual.narSize };
  }

  async put(narSha256: Uint8Array, nar: NarRoot, options: CallOptions = {}): Promise<void> {
    await this.#nars.put(nameOf(narSha256), encodeNarRoot(nar), options);
  }

  async getFile(
    fileSha256: Uint8Array,
    options: CallOptions = {},
  ): Promise<Uint8Array | undefined> {
    const name = nameOf(fileSha256);
    const value = await this.#files.get(name, options);
    if (value === undefined || value.byteLength === SHA256_LENGTH) return value;
    const what = `${value.byteLength} bytes, not the ${SHA256_LENGTH} of a hash`;
    throw new StoreError("CORRUPT", `Cannot read which NAR is in the file ${name}: ${what}`);
  }

  async putFile(
    fileSha256: Uint8Array,
    narSha256: Uint8Array,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#files.put(nameOf(fileSha256), assertSha256(narSha256), options);
  }
}

/** What is not complete, or damaged, is to be uploaded again. */
async function computed(
  calculate: () => Promise<NarCalculation>,
): Promise<NarCalculation | undefined> {
  try {
    return await calculate();
  } catch (error) {
    if (error instanceof NarRenderError || CastoreError.is(error, "CORRUPT")) return undefined;
    throw error;
  }
}

function nameOf(sha256: Uint8Array): string {
  return encodeNixBase32(assertSha256(sha256));
}
