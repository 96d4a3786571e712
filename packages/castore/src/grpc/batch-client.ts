import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, type Transport } from "@connectrpc/connect";
import {
  BatchService,
  type PutChunkedBlobRequestSchema,
  type PutDirectoriesRequestSchema,
} from "@tvix/protos/batch";
import type { CallOptions } from "../blobservice/blob-service.js";
import { B3Digest, DIGEST_LENGTH, joinDigests, splitDigests } from "../digest.js";
import { CastoreError } from "../errors.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { MAX_DIGESTS_PER_CALL } from "../rpc/limits.js";
import { callClientStream, callUnary } from "./call.js";
import { contiguousRuns } from "./contiguous-runs.js";
import { mapLimited } from "./map-limited.js";
import { isStatus } from "./retry.js";

/** Questions for what is missing that are under way at a time. */
const QUESTIONS_IN_FLIGHT = 4;

/** Where something is missing: `true` for each digest that is. */
type Missing = boolean[];

/** A message of `PutChunkedBlob`. */
export type PutChunkedBlobMessage = MessageInitShape<typeof PutChunkedBlobRequestSchema>;

/** A message of `PutDirectories`. */
export type PutDirectoriesMessage = MessageInitShape<typeof PutDirectoriesRequestSchema>;

/** What is sent in a call. */
export interface UploadMessages<T> {
  /** Whether what the messages are made of, not the call, has failed. */
  readonly hasFailed: boolean;
  messages(): AsyncIterable<T>;
}

/**
 * Calls of `tvix.castore.batch.v1`. Once a server has said that it does not have this service, no call is
 * made any more: each method answers `undefined` then, and the caller takes the long way.
 */
export class BatchClient {
  readonly #transport: Transport;
  /** What the server has answered so far. */
  #isSupported: boolean | undefined;
  #canRead = true;

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

  /**
   * Stores blobs that fit into one message together.
   *
   * @param digests - of each
   */
  putBlobs(
    blobs: readonly Uint8Array[],
    digests: readonly B3Digest[],
    options: CallOptions,
  ): Promise<true | undefined> {
    return this.#attempt<true>("Cannot store blobs", options, async () => {
      const { putBlobs } = BatchService.method;
      const lengths = blobs.map(({ byteLength }) => byteLength);
      const input = { contents: contiguousRuns(blobs), lengths };
      const { message } = await callUnary(this.#transport, putBlobs, input, options);
      checkStored(digests, message.digests);
      return true;
    });
  }

  /** Stores a blob in chunks. */
  putChunkedBlob(
    upload: UploadMessages<PutChunkedBlobMessage>,
    options: CallOptions,
  ): Promise<true | undefined> {
    return this.#attempt<true>(
      "Cannot store a blob",
      options,
      async () => {
        const { putChunkedBlob } = BatchService.method;
        await callClientStream(this.#transport, putChunkedBlob, upload.messages(), options);
        return true;
      },
      upload,
    );
  }

  /** Stores the Directories of a closure; answers with the digest of their root. */
  putDirectories(
    upload: UploadMessages<PutDirectoriesMessage>,
    options: CallOptions,
  ): Promise<B3Digest | undefined> {
    return this.#attempt(
      "Cannot store directories",
      options,
      async () => {
        const { putDirectories } = BatchService.method;
        const answer = await callClientStream(
          this.#transport,
          putDirectories,
          upload.messages(),
          options,
        );
        return answeredDigest(answer.rootDigest);
      },
      upload,
    );
  }

  /**
   * Reads blobs by `ReadBlobs`, which servers that have the other methods may lack.
   *
   * @param read - makes the call
   */
  async readBlobs<T>({ signal }: CallOptions, read: () => Promise<T>): Promise<T | undefined> {
    signal?.throwIfAborted();
    if (this.#isSupported === false || this.#canRead === false) return undefined;
    try {
      return await read();
    } catch (error) {
      signal?.throwIfAborted();
      if (!isStatus(error, Code.Unimplemented)) {
        throw connectToCastoreError(error, "Cannot read blobs");
      }
      this.#canRead = false;
      return undefined;
    }
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
        const input = { digests: part.length === 0 ? [] : [joinDigests(part)] };
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
    upload?: UploadMessages<unknown>,
  ): Promise<T | undefined> {
    signal?.throwIfAborted();
    if (this.#isSupported === false) return undefined;
    try {
      const result = await call();
      this.#isSupported = true;
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      if (upload?.hasFailed === true) throw error;
      if (isStatus(error, Code.Unimplemented)) {
        this.#isSupported = false;
        return undefined;
      }
      throw connectToCastoreError(error, what);
    }
  }
}

/**
 * Compares what a server says it has stored with what it was sent.
 *
 * @throws {@link CastoreError} "CORRUPT"
 */
function checkStored(expected: readonly B3Digest[], answered: readonly Uint8Array[]): void {
  const [row = NO_DIGESTS] = answered;
  if (answered.length > 1 || row.byteLength !== expected.length * DIGEST_LENGTH) {
    throw new CastoreError(
      "CORRUPT",
      `Cannot store ${expected.length} blobs: the server answers with ${row.byteLength} bytes of digests`,
    );
  }
  for (const [i, actual] of splitDigests(row).entries()) {
    sameDigest(expected[i] as B3Digest, actual);
  }
}

const NO_DIGESTS = new Uint8Array(0);

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

/**
 * The digest of a blob that was sent.
 *
 * @throws {@link CastoreError} "CORRUPT" when the server has stored something else
 */
export function sameDigest(expected: B3Digest, actual: B3Digest): B3Digest {
  if (actual.equals(expected)) return expected;
  throw new CastoreError(
    "CORRUPT",
    `Cannot store blob ${expected}: the server answers with digest ${actual}`,
  );
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
