import type { CallOptions } from "@tvix/castore";
import type { NamedValues } from "@tvix/castore/local";
import { StoreError } from "../errors.js";
import type { CastoreServices } from "../nar/renderer.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { SHA256_LENGTH } from "../sha256/sha256.js";
import { assertSha256 } from "./assert-sha256.js";
import { isRootStored } from "./is-root-stored.js";
import { decodeNarRoot, encodeNarRoot } from "./nar-root-codec.js";
import type { NarRoot, NarRoots } from "./nar-roots.js";

/** The part of a `LocalStore` that is used here. */
export interface LocalNarRootsStore extends CastoreServices {
  named(space: string): NamedValues;
}

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

  constructor(local: LocalNarRootsStore) {
    this.#services = local;
    this.#nars = local.named(NAR_SPACE);
    this.#files = local.named(FILE_SPACE);
  }

  async get(narSha256: Uint8Array, options: CallOptions = {}): Promise<NarRoot | undefined> {
    const value = await this.#nars.get(nameOf(narSha256), options);
    if (value === undefined) return undefined;
    const nar = decodeNarRoot(value);
    return (await isRootStored(this.#services, nar.root, options)) ? nar : undefined;
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

function nameOf(sha256: Uint8Array): string {
  return encodeNixBase32(assertSha256(sha256));
}
