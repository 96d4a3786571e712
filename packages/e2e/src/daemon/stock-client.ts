import { toBinary } from "@bufbuild/protobuf";
import { type ServiceError, status } from "@grpc/grpc-js";
import { blake3, concatBytes } from "@tvix/castore";
import {
  BlobService,
  type Directory,
  DirectorySchema,
  DirectoryService,
} from "@tvix/protos/castore";
import type { Stranger } from "./stranger.js";

/** What a stock writer sends at a time, in bytes. */
const WRITE_BYTES = 4096;

/** How often `size` counts each entry: once as documented, twice as tvix and snix do. */
export type SizeFactor = 1 | 2;

/**
 * Does what the gRPC clients of tvix and snix do, in their order and as strictly: see their
 * `blobservice/grpc.rs` and `directoryservice/grpc.rs` for the behaviour. Nothing of our castore code
 * but BLAKE3 is in it.
 */
export class StockClient {
  readonly #stranger: Stranger;

  constructor(stranger: Stranger) {
    this.#stranger = stranger;
  }

  async has(digest: Uint8Array): Promise<boolean> {
    return (await this.#stat(digest, false)) !== undefined;
  }

  /** Uploads in small messages; the answer must be a digest, which is believed. */
  async write(data: Uint8Array): Promise<Uint8Array> {
    const { digest } = await this.#stranger.writeAll(BlobService.method.put, piecesOf(data));
    return wellFormed(digest);
  }

  /** The blob: in one piece where there is at most one chunk, else chunk by chunk. */
  async read(digest: Uint8Array): Promise<Uint8Array | undefined> {
    const stat = await this.#stat(digest, true);
    if (stat === undefined) return undefined;
    const chunks = stat.chunks.map((chunk) => ({ ...chunk, digest: wellFormed(chunk.digest) }));
    if (chunks.length <= 1) return await this.#readWhole(digest);
    const parts: Uint8Array[] = [];
    for (const chunk of chunks) {
      if ((await this.#stat(chunk.digest, true)) === undefined) {
        throw new Error(`A chunk that was listed is not there: ${hex(chunk.digest)}`);
      }
      const part = await this.#readWhole(chunk.digest);
      if (BigInt(part.byteLength) !== chunk.size) throw new Error("A chunk of another size");
      parts.push(part);
    }
    return concatBytes(parts);
  }

  /** The first Directory of the answer, which must have the digest that was asked for. */
  async getDirectory(digest: Uint8Array): Promise<Directory | undefined> {
    const byWhat = { case: "digest", value: digest } as const;
    const call = this.#stranger.read(DirectoryService.method.get, { byWhat });
    // snix takes a NOT_FOUND that comes without headers before it for a failure of the connection.
    let hasHeaders = false;
    call.once("metadata", () => {
      hasHeaders = true;
    });
    try {
      for await (const message of call) {
        const directory = message as Directory;
        if (hex(digestOf(directory)) !== hex(digest)) throw new Error("Another directory came");
        return directory;
      }
      return undefined;
    } catch (error) {
      if (isNotFound(error) && hasHeaders) return undefined;
      throw error;
    } finally {
      call.cancel();
    }
  }

  /**
   * The whole closure, checked as it comes: each Directory must have been referred to before, with the
   * size that it has.
   */
  async getClosure(root: Uint8Array, factor: SizeFactor): Promise<Directory[]> {
    const byWhat = { case: "digest", value: root } as const;
    const expected = new Map<string, bigint | undefined>([[hex(root), undefined]]);
    const received: Directory[] = [];
    const messages = this.#stranger.read(DirectoryService.method.get, { byWhat, recursive: true });
    for await (const message of messages) {
      const directory = message as Directory;
      const key = hex(digestOf(directory));
      if (!expected.has(key)) throw new Error(`Directory ${key} was not asked for`);
      const size = expected.get(key);
      if (size !== undefined && size !== sizeOf(directory, factor)) {
        throw new Error(`Directory ${key} has size ${sizeOf(directory, factor)}, not ${size}`);
      }
      for (const child of directory.directories) expected.set(hex(child.digest), child.size);
      received.push(directory);
    }
    return received;
  }

  /** Uploads a closure, leaves first. */
  async putClosure(directories: readonly Directory[]): Promise<Uint8Array> {
    const { rootDigest } = await this.#stranger.writeAll(DirectoryService.method.put, directories);
    return wellFormed(rootDigest);
  }

  async #stat(digest: Uint8Array, sendChunks: boolean) {
    try {
      return await this.#stranger.unary(BlobService.method.stat, { digest, sendChunks });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #readWhole(digest: Uint8Array): Promise<Uint8Array> {
    const messages = await this.#stranger.readAll(BlobService.method.read, { digest });
    return concatBytes(messages.map((message) => message.data));
  }
}

/** The digest of a Directory as it is sent. */
export function digestOf(directory: Directory): Uint8Array {
  return blake3(toBinary(DirectorySchema, directory)).toBytes();
}

/** What a reference to `directory` states as its size. */
export function sizeOf(directory: Directory, factor: SizeFactor): bigint {
  const { directories, files, symlinks } = directory;
  const entries = BigInt(directories.length + files.length + symlinks.length);
  return directories.reduce((sum, child) => sum + child.size, entries * BigInt(factor));
}

function* piecesOf(data: Uint8Array): Generator<{ data: Uint8Array }> {
  for (let offset = 0; offset < data.byteLength; offset += WRITE_BYTES) {
    yield { data: data.subarray(offset, offset + WRITE_BYTES) };
  }
}

function wellFormed(digest: Uint8Array): Uint8Array {
  if (digest.byteLength !== 32) throw new Error(`A digest of ${digest.byteLength} bytes`);
  return digest;
}

function isNotFound(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && error.code === status.NOT_FOUND;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
