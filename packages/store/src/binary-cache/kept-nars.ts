import { type BlobService, type CallOptions, copyBytes } from "@tvix/castore";
import type { NamedValues } from "@tvix/castore/local";
import type { FileCompression } from "../compression/encoder.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { decodeKeptNar, encodeKeptNar, type KeptNar } from "./kept-nar.js";
import type { NamedSpaces } from "./named-spaces.js";

/** Names are the SHA-256 of files in nixbase32. */
const FILE_SPACE = "kept-nar";
/** From the SHA-256 of a NAR in nixbase32, a dot and a compression, to the SHA-256 of the file. */
const NAR_SPACE = "kept-nar-of";

/**
 * Compressed NARs, as blobs. What a narinfo has told of a file stays true: the bytes are those that were
 * hashed, whatever becomes of the library that made them, and any part of them can be read.
 */
export class KeptNars {
  readonly #blobs: BlobService;
  readonly #files: NamedValues;
  readonly #nars: NamedValues;

  constructor(blobs: BlobService, values: NamedSpaces) {
    this.#blobs = blobs;
    this.#files = values.named(FILE_SPACE);
    this.#nars = values.named(NAR_SPACE);
  }

  /** The file with that SHA-256; `undefined` when none is kept, or when its blob is not complete. */
  async find(fileSha256: Uint8Array, options: CallOptions): Promise<KeptNar | undefined> {
    const value = await this.#files.get(encodeNixBase32(fileSha256), options);
    if (value === undefined) return undefined;
    const kept = decodeKeptNar(value, fileSha256);
    return (await this.#blobs.has(kept.blob, options)) ? kept : undefined;
  }

  /** A file with the NAR of that SHA-256, compressed so. */
  async get(
    narSha256: Uint8Array,
    compression: FileCompression,
    options: CallOptions,
  ): Promise<KeptNar | undefined> {
    const fileSha256 = await this.#nars.get(nameOf(narSha256, compression), options);
    return fileSha256 && (await this.find(fileSha256, options));
  }

  /** Remembers a file whose blob is stored. Only who has decompressed or made it may say what is in it. */
  async put(narSha256: Uint8Array, kept: KeptNar, options: CallOptions): Promise<void> {
    const { compression } = kept;
    const fileSha256 = copyBytes(kept.fileSha256);
    // One without the other says nothing, and together they are made durable at once.
    await Promise.all([
      this.#files.put(encodeNixBase32(fileSha256), encodeKeptNar(kept), options),
      this.#nars.put(nameOf(narSha256, compression), fileSha256, options),
    ]);
  }
}

function nameOf(narSha256: Uint8Array, compression: FileCompression): string {
  return `${encodeNixBase32(narSha256)}.${compression}`;
}
