import { create } from "@bufbuild/protobuf";
import { DirectorySchema, type Directory as ProtoDirectory } from "@tvix/protos/castore";
import type { B3Digest } from "../digest.js";
import { LeavesToRootValidator } from "../directoryservice/order-validator.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import { directoryToMessage } from "../rpc/directory-message.js";
import { CONTENT_MESSAGE_BYTES } from "../rpc/limits.js";
import { digestDirectory } from "../wire/directory-digest.js";
import type { PutDirectoriesMessage, UploadMessages } from "./batch-client.js";

/** A closure on its way out: checked here, so that a refusal says which rule it breaks. */
class ClosureUpload {
  readonly #validator = new LeavesToRootValidator();
  readonly #source: AsyncIterable<Directory>;
  /** Set when all have come. */
  protected root: B3Digest | undefined;
  /** Whether the source or a check, not the call, has failed. */
  hasFailed = false;

  constructor(source: AsyncIterable<Directory>) {
    this.#source = source;
  }

  accept(answered: B3Digest): B3Digest {
    if (this.root?.equals(answered) === true) return answered;
    throw new CastoreError(
      "CORRUPT",
      `Cannot store directories: the server answers with ${answered} as their root`,
    );
  }

  /** Each Directory once. */
  protected async *checked(): AsyncGenerator<Directory, void, undefined> {
    try {
      for await (const directory of this.#source) {
        if (!this.#validator.add(directory).repeated) yield directory;
      }
      this.root = this.#validator.finalize();
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
  }
}

/** What no server accepts: an entry without a name. */
const REFUSED: ProtoDirectory = create(DirectorySchema, { symlinks: [{}] });

/** A closure for `DirectoryService.Put`. */
export class SingleUpload extends ClosureUpload implements UploadMessages<ProtoDirectory> {
  async *messages(): AsyncGenerator<ProtoDirectory, void, undefined> {
    try {
      for await (const directory of this.checked()) yield directoryToMessage(directory);
    } finally {
      // Clients in Node end a stream on their way to reset it, and what came so far may be a closure.
      if (this.hasFailed) yield REFUSED;
    }
  }
}

/** Directories that travel together at most. */
const MAX_WINDOW = 1024;

/**
 * Longest time without a message, in milliseconds. While a large file is uploaded no Directory comes, and
 * a server gives a call up in which nothing does: ours after a minute.
 */
const SILENCE_MS = 15_000;

/** A closure for `BatchService.PutDirectories`. */
export class BatchedUpload extends ClosureUpload implements UploadMessages<PutDirectoriesMessage> {
  readonly #before: (window: readonly Directory[]) => Promise<void>;
  readonly #silenceMs: number;

  /**
   * @param before - is awaited before Directories are sent
   * @param silenceMs - after that time without a message an empty one is sent
   */
  constructor(
    source: AsyncIterable<Directory>,
    before: (window: readonly Directory[]) => Promise<void>,
    silenceMs: number = SILENCE_MS,
  ) {
    super(source);
    this.#before = before;
    this.#silenceMs = silenceMs;
  }

  async *messages(): AsyncGenerator<PutDirectoriesMessage, void, undefined> {
    let window: Directory[] = [];
    let bytes = 0;
    for await (const directory of punctuated(this.checked(), this.#silenceMs)) {
      if (directory === undefined) {
        yield { directories: [] };
        continue;
      }
      const { byteLength } = digestDirectory(directory).encoded;
      const isFull = window.length === MAX_WINDOW || bytes + byteLength > CONTENT_MESSAGE_BYTES;
      if (isFull && window.length > 0) {
        yield await this.#message(window);
        window = [];
        bytes = 0;
      }
      window.push(directory);
      bytes += byteLength;
    }
    const last = await this.#message(window);
    yield this.root === undefined ? last : { ...last, rootDigest: this.root.toBytes() };
  }

  async #message(window: readonly Directory[]): Promise<PutDirectoriesMessage> {
    if (window.length > 0) await this.#before(window);
    return { directories: window.map((directory) => digestDirectory(directory).encoded) };
  }
}

/**
 * What `source` yields, and `undefined` each time that it takes longer than `silenceMs`, up to half as long
 * again: one clock for all, since there may be a hundred thousand Directories.
 */
async function* punctuated<T>(
  source: AsyncGenerator<T, void, undefined>,
  silenceMs: number,
): AsyncGenerator<T | undefined, void, undefined> {
  const silence = new Silence(silenceMs);
  try {
    for (;;) {
      const next = source.next();
      // Nobody may be there any more to hear of a failure.
      next.catch(() => {});
      while (!(await silence.endsWith(next))) yield undefined;
      const { done, value } = await next;
      if (done === true) return;
      yield value;
    }
  } finally {
    silence.stop();
    // Not waited for: a source that hangs ends with the signal of the call.
    source.return().catch(() => {});
  }
}

/** Looks twice in that time whether somebody waits. */
class Silence {
  readonly #clock: ReturnType<typeof setInterval>;
  /** Tells who waits that it takes long. */
  #isLong: (() => void) | undefined;
  #looks = 0;

  constructor(ms: number) {
    this.#clock = setInterval(() => {
      if (this.#isLong !== undefined && ++this.#looks > 2) this.#isLong();
    }, ms / 2);
  }

  /** @returns whether the promise has settled, not that it takes long */
  endsWith(promise: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isOver: boolean): void => {
        this.#isLong = undefined;
        resolve(isOver);
      };
      this.#looks = 0;
      this.#isLong = () => settle(false);
      promise.then(
        () => settle(true),
        () => settle(true),
      );
    });
  }

  stop(): void {
    clearInterval(this.#clock);
  }
}
