import { Code, type Transport } from "@connectrpc/connect";
import { BatchService } from "@tvix/protos/batch";
import type { CallOptions, ChunkMeta } from "../blobservice/blob-service.js";
import { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { MAX_DIGESTS_PER_CALL } from "../rpc/limits.js";
import { callClientStream, callUnary, isStatus } from "./call.js";
import { mapLimited } from "./map-limited.js";

/** Questions for what is missing that are under way at a time. */
const QUESTIONS_IN_FLIGHT = 4;

/** Chunks in one message of a chunk list, some 650 KiB. */
const CHUNKS_PER_MESSAGE = 16_384;

/** Where something is missing: `true` for each digest that is. */
type Missing = boolean[];

/**
 * Calls of `tvix.castore.batch.v1`. Once a server has said that it does not have this service, no call is
 * made any more: each method answers `undefined` then, and the caller takes the long way.
 */
export class BatchClient {
  readonly #transport: Transport;
  /** What the server has answered so far. */
  #isSupported: boolean | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Whether the server has the service; asks it when that is not known. */
  async isSupported(options: CallOptions): Promise<boolean> {
    if (this.#isSupported === undefined) {
      await this.#attempt("Cannot find missing blobs", options, () =>
        callUnary(this.#transport, BatchService.method.findMissingBlobs, {}, options),
      );
    }
    return this.#isSupported === true;
  }

  /** Which blobs are not stored. */
  findMissingBlobs(
    digests: readonly B3Digest[],
    options: CallOptions,
  ): Promise<Missing | undefined> {
    return this.#attempt("Cannot find missing blobs", options, () =>
      this.#findMissing(digests, options, (input, call) =>
        callUnary(this.#transport, BatchService.method.findMissingBlobs, input, call),
      ),
    );
  }

  /** Which Directories are not stored. */
  findMissingDirectories(
    digests: readonly B3Digest[],
    options: CallOptions,
  ): Promise<Missing | undefined> {
    return this.#attempt("Cannot find missing directories", options, () =>
      this.#findMissing(digests, options, (input, call) =>
        callUnary(this.#transport, BatchService.method.findMissingDirectories, input, call),
      ),
    );
  }

  /** Stores blobs that fit into one message together; answers with their digests. */
  putBlobs(contents: readonly Uint8Array[], options: CallOptions): Promise<B3Digest[] | undefined> {
    return this.#attempt("Cannot store blobs", options, async () => {
      const { putBlobs } = BatchService.method;
      const input = { contents: [...contents] };
      const { message } = await callUnary(this.#transport, putBlobs, input, options);
      if (message.digests.length !== contents.length) {
        throw new CastoreError(
          "CORRUPT",
          `Cannot store ${contents.length} blobs: the server answers with ${message.digests.length} digests`,
        );
      }
      return message.digests.map(answeredDigest);
    });
  }

  /** Makes a blob of chunks that are stored. */
  putChunkedBlob(
    digest: B3Digest,
    chunks: readonly ChunkMeta[],
    options: CallOptions,
  ): Promise<true | undefined> {
    return this.#attempt<true>(`Cannot store blob ${digest}`, options, async () => {
      const { putChunkedBlob } = BatchService.method;
      await callClientStream(this.#transport, putChunkedBlob, chunkLists(digest, chunks), options);
      return true;
    });
  }

  async #findMissing(
    digests: readonly B3Digest[],
    options: CallOptions,
    ask: (
      input: { digests: Uint8Array[] },
      options: CallOptions,
    ) => Promise<{ readonly message: { readonly missing: readonly number[] } }>,
  ): Promise<Missing> {
    const parts: B3Digest[][] = [];
    for (let start = 0; start < digests.length; start += MAX_DIGESTS_PER_CALL) {
      parts.push(digests.slice(start, start + MAX_DIGESTS_PER_CALL));
    }
    const found = await mapLimited(
      parts,
      QUESTIONS_IN_FLIGHT,
      async (part, call) => {
        const input = { digests: part.map((digest) => digest.toBytes()) };
        const { message } = await ask(input, call);
        return flags(message.missing, part.length);
      },
      options,
    );
    return found.flat();
  }

  async #attempt<T>(
    what: string,
    { signal }: CallOptions,
    call: () => Promise<T>,
  ): Promise<T | undefined> {
    signal?.throwIfAborted();
    if (this.#isSupported === false) return undefined;
    try {
      const result = await call();
      this.#isSupported = true;
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      if (isStatus(error, Code.Unimplemented)) {
        this.#isSupported = false;
        return undefined;
      }
      throw connectToCastoreError(error, what);
    }
  }
}

/** The digest in an answer. */
export function answeredDigest(bytes: Uint8Array): B3Digest {
  try {
    return B3Digest.fromBytes(bytes);
  } catch (cause) {
    throw new CastoreError(
      "CORRUPT",
      `Cannot read an answer: it has a digest of ${bytes.byteLength} bytes`,
      { cause },
    );
  }
}

function flags(positions: readonly number[], length: number): Missing {
  const missing = new Array<boolean>(length).fill(false);
  for (const position of positions) {
    if (position >= length) {
      throw new CastoreError(
        "CORRUPT",
        `Cannot read an answer: position ${position} in a list of ${length}`,
      );
    }
    missing[position] = true;
  }
  return missing;
}

async function* chunkLists(digest: B3Digest, chunks: readonly ChunkMeta[]) {
  for (let start = 0; start < chunks.length; start += CHUNKS_PER_MESSAGE) {
    const part = chunks.slice(start, start + CHUNKS_PER_MESSAGE);
    yield {
      digest: new Uint8Array(0),
      chunks: part.map((chunk) => ({ digest: chunk.digest.toBytes(), size: BigInt(chunk.size) })),
    };
  }
  yield { digest: digest.toBytes(), chunks: [] };
}
