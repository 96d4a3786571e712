import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { CallOptions } from "@tvix/castore";
import { compressFile } from "../compression/compress-file.js";
import { suffixOfCompression } from "../compression/compression.js";
import type { FileCompression } from "../compression/encoder.js";
import { type CastoreServices, renderNar } from "../nar/renderer.js";
import { verifiedNar } from "../nar/verified-nar.js";
import { NixHash } from "../nix-hash.js";
import type { PathInfo } from "../path-info.js";
import { createSha256 } from "../sha256/sha256.js";

export interface PackNarOptions extends CallOptions {
  readonly compression: FileCompression | "none";
  /** A directory for what is compressed, until it has been sent. */
  readonly temporary: string;
}

/** Bytes that are read at a time. */
const READ_BYTES = 256 * 1024;

/**
 * The NAR of a path as a file that can be sent to a cache, more than once if need be. What is compressed lies in a
 * temporary file that has no name any more, since its name in the cache follows from its hash; what is not is
 * rendered each time.
 */
export class PackedNar implements AsyncDisposable {
  readonly compression: FileCompression | "none";
  readonly fileHash: NixHash;
  /** In bytes. */
  readonly fileSize: bigint;
  readonly #open: () => AsyncIterable<Uint8Array>;
  readonly #file: FileHandle | undefined;

  private constructor(
    compression: FileCompression | "none",
    content: Pick<PackedNar, "fileHash" | "fileSize" | "open">,
    file?: FileHandle,
  ) {
    this.compression = compression;
    this.fileHash = content.fileHash;
    this.fileSize = content.fileSize;
    this.#open = content.open;
    this.#file = file;
  }

  /**
   * Compresses the NAR of `pathInfo`.
   *
   * @throws {@link StoreError} with code "CORRUPT" when the NAR is not the one that the path info states, be it
   *   here or while it is read; `NarRenderError`
   */
  static async of(
    services: CastoreServices,
    pathInfo: PathInfo,
    { compression, temporary, ...options }: PackNarOptions,
  ): Promise<PackedNar> {
    const nar = (): AsyncIterable<Uint8Array> =>
      verifiedNar(renderNar(services, pathInfo.node, options), pathInfo);
    if (compression === "none") {
      const fileHash = NixHash.of("sha256", pathInfo.narSha256);
      return new PackedNar(compression, { fileHash, fileSize: pathInfo.narSize, open: nar });
    }
    const file = await openNameless(temporary);
    try {
      const { fileHash, fileSize } = await write(file, compressFile(compression, nar()));
      const content = () => read(file, fileSize);
      return new PackedNar(
        compression,
        { fileHash, fileSize: BigInt(fileSize), open: content },
        file,
      );
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Where the file belongs, relative to the cache. */
  get url(): string {
    return `nar/${this.fileHash.format("nixbase32")}.nar${suffixOfCompression(this.compression)}`;
  }

  /** All of the file, one-shot. */
  open(): AsyncIterable<Uint8Array> {
    return this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }
}

let files = 0;

/** A file that is gone when it is closed, however this process ends. */
async function openNameless(directory: string): Promise<FileHandle> {
  const name = join(directory, `nar-${process.pid}-${files++}`);
  const file = await open(name, "wx+", 0o600);
  await unlink(name);
  return file;
}

async function write(
  file: FileHandle,
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly fileHash: NixHash; readonly fileSize: number }> {
  const hash = createSha256();
  let fileSize = 0;
  for await (const bytes of source) {
    hash.update(bytes);
    fileSize += bytes.byteLength;
    await file.writeFile(bytes);
  }
  return { fileHash: NixHash.of("sha256", hash.digest()), fileSize };
}

async function* read(file: FileHandle, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = 0; position < size; ) {
    const buffer = new Uint8Array(Math.min(READ_BYTES, size - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, position);
    if (bytesRead === 0) throw new Error("Cannot read a temporary file: it has become shorter");
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
