import { Code, type Transport } from "@connectrpc/connect";
import { BlobService as BlobServiceDesc, type StatBlobResponse } from "@tvix/protos/castore";
import type { CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { LastUsed } from "../last-used.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { BLOB_SIZE_HEADER } from "../rpc/limits.js";
import { answeredDigest } from "./batch-client.js";
import { callUnary, type UnaryAnswer } from "./call.js";
import { isStatus } from "./retry.js";

/** Chunks that are remembered, and blobs: some 20 MB. */
const MAX_REMEMBERED = 131_072;

/** What a server says of a blob. */
export interface BlobLayout {
  /** Length in bytes; `undefined` when it does not say. */
  readonly size: number | undefined;
  /** How it is cut: nothing where no finer pieces are known, `undefined` when it was not asked. */
  readonly chunks: readonly ChunkMeta[] | undefined;
  /** Whether the chunks were found to make up the blob. */
  readonly isProved?: boolean;
}

type StatAnswer = UnaryAnswer<typeof BlobServiceDesc.method.stat.output>;

/**
 * What a server says of its blobs, remembered: blobs do not change. Chunks are asked for when somebody needs them:
 * a blob of some GiB has a list of some hundred KiB.
 */
export class BlobLayouts {
  readonly #transport: Transport;
  readonly #known = new LastUsed<string, BlobLayout>(
    MAX_REMEMBERED,
    ({ chunks = [] }) => 1 + chunks.length,
  );
  /**
   * Whether it has to be asked for chunks to learn the length of a blob: those of tvix and snix tell no length.
   * They tell chunks also when they are not asked for them.
   */
  #tellsNoLength = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Whether the server has a blob, asked anew. */
  async has(digest: B3Digest, options: CallOptions): Promise<boolean> {
    return (await this.#stat(digest, {}, options)) !== undefined;
  }

  /** What it says of a blob; `undefined` when it does not have it. */
  async find(digest: B3Digest, options: CallOptions): Promise<BlobLayout | undefined> {
    options.signal?.throwIfAborted();
    const known = this.#known.get(digest.key);
    if (known !== undefined) return known;
    if (this.#tellsNoLength) return this.#ask(digest, true, options);
    const layout = await this.#ask(digest, false, options);
    if (layout === undefined || layout.size !== undefined) return layout;
    this.#tellsNoLength = true;
    return this.#ask(digest, true, options);
  }

  /** How a blob is cut, when that is remembered. */
  knownChunks(digest: B3Digest): readonly ChunkMeta[] | undefined {
    return this.#known.get(digest.key)?.chunks;
  }

  /** How a blob is cut; `undefined` when the server does not have it. */
  async chunksOf(
    digest: B3Digest,
    options: CallOptions,
  ): Promise<readonly ChunkMeta[] | undefined> {
    options.signal?.throwIfAborted();
    return this.knownChunks(digest) ?? (await this.#ask(digest, true, options))?.chunks;
  }

  /** Notes what was found out of a blob in another way. */
  remember(digest: B3Digest, layout: BlobLayout): void {
    this.#known.add(digest.key, layout);
  }

  /** Whether it is remembered that the chunks of a blob make it up. */
  isProved(digest: B3Digest): boolean {
    return this.#known.get(digest.key)?.isProved === true;
  }

  /** Notes that the chunks of a blob make it up. */
  noteProof(digest: B3Digest, chunks: readonly ChunkMeta[]): void {
    const size = chunks.reduce((sum, chunk) => sum + chunk.size, 0);
    this.remember(digest, { size, chunks, isProved: true });
  }

  /** Forgets a blob that turned out to be gone, or another than was said. */
  forget(digest: B3Digest): void {
    this.#known.delete(digest.key);
  }

  async #stat(
    digest: B3Digest,
    wanted: { readonly sendChunks?: boolean },
    options: CallOptions,
  ): Promise<StatAnswer | undefined> {
    options.signal?.throwIfAborted();
    const input = { digest: digest.toBytes(), ...wanted };
    try {
      return await callUnary(this.#transport, BlobServiceDesc.method.stat, input, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isStatus(error, Code.NotFound)) return undefined;
      throw connectToCastoreError(error, `Cannot find blob ${digest}`);
    }
  }

  async #ask(
    digest: B3Digest,
    sendChunks: boolean,
    options: CallOptions,
  ): Promise<BlobLayout | undefined> {
    const answer = await this.#stat(digest, { sendChunks }, options);
    if (answer === undefined) return undefined;
    const layout = layoutOf(digest, answer, sendChunks);
    if (layout.size !== undefined) this.remember(digest, layout);
    return layout;
  }
}

/** @throws {@link CastoreError} "CORRUPT" when an answer contradicts itself */
function layoutOf(
  digest: B3Digest,
  { header, message }: StatAnswer,
  hasAskedForChunks: boolean,
): BlobLayout {
  const chunks = chunkList(digest, message);
  const stated = statedSize(digest, header);
  if (chunks.length === 0) return { size: stated, chunks: hasAskedForChunks ? [] : undefined };
  const size = chunks.reduce((sum, chunk) => sum + chunk.size, 0);
  if (stated !== undefined && stated !== size) {
    throw corrupt(digest, `its chunks are ${size} bytes, but it is to have ${stated}`);
  }
  return { size, chunks };
}

/** The chunks in an answer; none when no finer pieces are known. */
function chunkList(digest: B3Digest, { chunks }: StatBlobResponse): ChunkMeta[] {
  let total = 0n;
  const list = chunks.map(({ digest: bytes, size }) => {
    total += size;
    if (size === 0n || total > Number.MAX_SAFE_INTEGER) {
      throw corrupt(digest, `its chunk list has a chunk of ${size} bytes`);
    }
    return { digest: answeredDigest(bytes), size: Number(size) };
  });
  const [only] = list;
  if (list.length === 1 && only?.digest.equals(digest) !== true) {
    throw corrupt(digest, `it is to consist of ${only?.digest} alone`);
  }
  return list;
}

function statedSize(digest: B3Digest, header: Headers): number | undefined {
  const text = header.get(BLOB_SIZE_HEADER);
  if (text === null) return undefined;
  const size = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(size)) return size;
  throw corrupt(digest, "the length that the server states is not a number");
}

function corrupt(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read blob ${digest}: ${state}`);
}
