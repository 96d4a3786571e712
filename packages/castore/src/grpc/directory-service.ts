import { create } from "@bufbuild/protobuf";
import { Code, type Transport } from "@connectrpc/connect";
import {
  DirectorySchema,
  DirectoryService as DirectoryServiceDesc,
  type Directory as ProtoDirectory,
} from "@tvix/protos/castore";
import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import {
  LeavesToRootValidator,
  RootToLeavesValidator,
} from "../directoryservice/order-validator.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import { directoryFromMessage, directoryToMessage } from "../rpc/directory-message.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { encodeDirectory } from "../wire/directory-codec.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { answeredDigest, BatchClient } from "./batch-client.js";
import { callClientStream, callServerStream, isStatus, LinkedAbort } from "./call.js";
import { childrenOf, leavesToRoot } from "./closure-order.js";
import { UploadCounter, type UploadCounters } from "./upload-counters.js";

/**
 * Most Directories of a closure that come a second time. Servers send each once, but may repeat them; one
 * that does nothing else would keep a reader for ever.
 */
const MAX_REPETITIONS = 1_000_000;

/** Directories of an upload that the server is asked about in one question. */
const WINDOW = 512;

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
    const upload = new Upload(source, (window) => this.#count(window, options));
    try {
      const { put } = DirectoryServiceDesc.method;
      const answer = await callClientStream(this.#transport, put, upload.messages(), options);
      return upload.accept(answeredDigest(answer.rootDigest));
    } catch (error) {
      if (upload.hasFailed || isAbort(error, options)) throw error;
      throw connectToCastoreError(error, "Cannot store directories");
    } finally {
      reading.end();
      // Perhaps nobody has asked it for anything: then it has to be begun to be closed.
      await source.next().catch(() => {});
    }
  }

  /** Asks which of these the server lacks before they are sent. */
  async #count(directories: readonly Directory[], options: CallOptions): Promise<void> {
    const digests = directories.map((directory) => directoryDigest(directory));
    const missing = await this.#batch.findMissingDirectories(digests, options);
    if (missing === undefined) return;
    directories.forEach((directory, i) => {
      const { byteLength } = encodeDirectory(directory);
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

/** What no server accepts: an entry without a name. */
const REFUSED: ProtoDirectory = create(DirectorySchema, { symlinks: [{}] });

/** A closure on its way out: checked here, so that a refusal says which rule it breaks. */
class Upload {
  readonly #validator = new LeavesToRootValidator();
  readonly #source: AsyncIterable<Directory>;
  readonly #before: (window: readonly Directory[]) => Promise<void>;
  #root: B3Digest | undefined;
  /** Whether the source or a check, not the call, has failed. */
  hasFailed = false;

  /** @param before - is awaited before Directories are sent */
  constructor(
    source: AsyncIterable<Directory>,
    before: (window: readonly Directory[]) => Promise<void>,
  ) {
    this.#source = source;
    this.#before = before;
  }

  async *messages(): AsyncGenerator<ProtoDirectory, void, undefined> {
    let window: Directory[] = [];
    try {
      for await (const directory of this.#checked()) {
        window.push(directory);
        if (window.length < WINDOW) continue;
        yield* this.#send(window);
        window = [];
      }
      yield* this.#send(window);
    } finally {
      // Clients in Node end a stream on their way to reset it, and what came so far may be a closure.
      if (this.hasFailed) yield REFUSED;
    }
  }

  async *#send(window: readonly Directory[]): AsyncGenerator<ProtoDirectory, void, undefined> {
    if (window.length > 0) await this.#before(window);
    for (const directory of window) yield directoryToMessage(directory);
  }

  async *#checked(): AsyncGenerator<Directory, void, undefined> {
    try {
      for await (const directory of this.#source) {
        if (!this.#validator.add(directory).repeated) yield directory;
      }
      this.#root = this.#validator.finalize();
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
  }

  accept(answered: B3Digest): B3Digest {
    if (this.#root?.equals(answered) === true) return answered;
    throw new CastoreError(
      "CORRUPT",
      `Cannot store directories: the server answers with ${answered} as their root`,
    );
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
