import { Code, type Transport } from "@connectrpc/connect";
import {
  DirectoryService as DirectoryServiceDesc,
  type Directory as ProtoDirectory,
} from "@tvix/protos/castore";
import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { RootToLeavesValidator } from "../directoryservice/order-validator.js";
import { CastoreError } from "../errors.js";
import { LinkedAbort } from "../linked-abort.js";
import type { Directory } from "../nodes/directory.js";
import { directoryFromMessage } from "../rpc/directory-message.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { childrenOf, leavesToRoot } from "../traversal/closure-order.js";
import { digestDirectory, directoryDigest } from "../wire/directory-digest.js";
import { answeredDigest, BatchClient } from "./batch-client.js";
import { callClientStream, callServerStream } from "./call.js";
import { BatchedUpload, SingleUpload } from "./directory-upload.js";
import { isStatus } from "./retry.js";
import { UploadCounter, type UploadCounters } from "./upload-counters.js";

/**
 * Most Directories of a closure that come a second time. Servers send each once, but may repeat them; one
 * that does nothing else would keep a reader for ever.
 */
const MAX_REPETITIONS = 1_000_000;

/**
 * Directories of a server that speaks the protocol of tvix and snix. Nothing that it sends is believed:
 * Directories are held against their digests, closures must be complete.
 */
export class GrpcDirectoryService implements DirectoryService {
  readonly #transport: Transport;
  readonly #batch: BatchClient;
  readonly #counter = new UploadCounter();

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#batch = new BatchClient(transport);
  }

  /** What was uploaded so far to a server that has batches. All of a closure is sent, known or not. */
  get counters(): UploadCounters {
    return this.#counter;
  }

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    let found: Directory | undefined;
    for await (const message of this.#messages(digest, false, options)) {
      if (found !== undefined) throw corrupt(digest, "the server sends more than one");
      found = fromServer(digest, message);
      const actual = directoryDigest(found);
      if (!actual.equals(digest)) throw corrupt(digest, `the server sends ${actual}`);
    }
    return found;
  }

  /**
   * As the contract says, in the order of the server: those of tvix and snix, and ours, go breadth first.
   *
   * @throws {@link InvalidDirectoryClosureError} when the closure has a gap or what does not belong to it
   */
  async *getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    const validator = new RootToLeavesValidator(digest);
    let repetitions = 0;
    for await (const message of this.#messages(digest, true, options)) {
      const directory = fromServer(digest, message);
      if (!validator.add(directory).repeated) yield directory;
      else if (++repetitions > MAX_REPETITIONS) throw corrupt(digest, "the server repeats itself");
    }
    validator.finalize();
  }

  /**
   * As the contract says. The protocol has no way to send a Directory without all that is below it, so
   * with children this reads their closures and sends them again, which also means that their sizes must
   * be true.
   */
  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    options.signal?.throwIfAborted();
    const below = new Map<string, Directory>();
    for (const child of childrenOf(directory)) {
      if (!below.has(child.key)) await this.#addClosure(below, child, options);
    }
    return await this.putMultiple(leavesToRoot(directory, below), options);
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    // Ended together with the upload: a source that hangs must not keep a failed one waiting.
    const reading = new LinkedAbort(options.signal);
    const source = abortable(directories, reading.signal);
    try {
      return (await this.#batch.isSupported(options))
        ? await this.#putInBatches(source, options)
        : await this.#putSingly(source, options);
    } finally {
      reading.end();
      // Perhaps nobody has asked it for anything: then it has to be begun to be closed.
      await source.next().catch(() => {});
    }
  }

  async #putInBatches(source: AsyncIterable<Directory>, options: CallOptions): Promise<B3Digest> {
    const upload = new BatchedUpload(source, (window) => this.#count(window, options));
    const answered = await this.#batch.putDirectories(upload, options);
    if (answered !== undefined) return upload.accept(answered);
    throw new CastoreError(
      "UNAVAILABLE",
      "Cannot store directories: the server stopped to take batches while they were sent",
    );
  }

  async #putSingly(source: AsyncIterable<Directory>, options: CallOptions): Promise<B3Digest> {
    const upload = new SingleUpload(source);
    try {
      const { put } = DirectoryServiceDesc.method;
      const answer = await callClientStream(this.#transport, put, upload.messages(), options);
      return upload.accept(answeredDigest(answer.rootDigest));
    } catch (error) {
      if (upload.hasFailed || isAbort(error, options)) throw error;
      throw connectToCastoreError(error, "Cannot store directories");
    }
  }

  /** Asks which of these the server lacks before they are sent. */
  async #count(directories: readonly Directory[], options: CallOptions): Promise<void> {
    const digests = directories.map((directory) => directoryDigest(directory));
    const missing = await this.#batch.findMissingDirectories(digests, options);
    if (missing === undefined) return;
    directories.forEach((directory, i) => {
      const { byteLength } = digestDirectory(directory).encoded;
      this.#counter.count(digests[i] as B3Digest, byteLength, missing[i] === true);
    });
  }

  async #addClosure(
    closure: Map<string, Directory>,
    digest: B3Digest,
    options: CallOptions,
  ): Promise<void> {
    for await (const directory of this.getRecursive(digest, options)) {
      closure.set(directoryDigest(directory).key, directory);
    }
    if (closure.has(digest.key)) return;
    throw new CastoreError(
      "MISSING_REFERENCE",
      `Cannot store directory: its child ${digest} is not stored`,
    );
  }

  /** What `Get` answers. Nothing at all when the server does not have it, however it says so. */
  async *#messages(
    digest: B3Digest,
    recursive: boolean,
    options: CallOptions,
  ): AsyncGenerator<ProtoDirectory, void, undefined> {
    const { get } = DirectoryServiceDesc.method;
    const byWhat = { case: "digest" as const, value: digest.toBytes() };
    let begun = false;
    try {
      for await (const message of callServerStream(
        this.#transport,
        get,
        { byWhat, recursive },
        options,
      )) {
        begun = true;
        yield message;
      }
    } catch (error) {
      if (isAbort(error, options)) throw error;
      if (!begun && isStatus(error, Code.NotFound)) return;
      throw connectToCastoreError(error, `Cannot read directory ${digest}`);
    }
  }
}

function fromServer(digest: B3Digest, message: ProtoDirectory): Directory {
  try {
    return directoryFromMessage(message);
  } catch (cause) {
    if (!CastoreError.is(cause)) throw cause;
    throw new CastoreError("CORRUPT", `Cannot read directory ${digest}: ${cause.message}`, {
      cause,
    });
  }
}

function corrupt(digest: B3Digest, state: string): CastoreError {
  return new CastoreError("CORRUPT", `Cannot read directory ${digest}: ${state}`);
}

function isAbort(error: unknown, { signal }: CallOptions): boolean {
  return signal?.aborted === true && error === signal.reason;
}
