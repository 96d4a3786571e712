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
import { orAbort } from "../or-abort.js";
import { directoryDigest } from "../wire/directory-digest.js";

/**
 * Directories of a closure that come a second time. Services send each once; one that only repeats itself would
 * keep a reader for ever.
 */
const MAX_REPETITIONS = 1_000_000;

/**
 * Directories of a store that nobody trusts. What it gives is held against the digest that was asked for, a closure
 * must be one and complete, what it says to have stored must be what it was given. A call that is aborted ends, whether
 * the store listens or not.
 */
export class VerifiedDirectoryService implements DirectoryService {
  readonly #inner: DirectoryService;

  constructor(inner: DirectoryService) {
    this.#inner = inner;
  }

  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    options.signal?.throwIfAborted();
    const directory = await orAbort(this.#inner.get(digest, options), options.signal);
    if (directory === undefined) return undefined;
    const actual = directoryDigest(directory);
    if (actual.equals(digest)) return directory;
    throw new CastoreError("CORRUPT", `Cannot read directory ${digest}: the store gives ${actual}`);
  }

  /**
   * As the contract says, in the order of the store: parents come before their children.
   *
   * @throws {@link InvalidDirectoryClosureError} when the closure has a gap or what does not belong to it
   */
  async *getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    const validator = new RootToLeavesValidator(digest);
    let repetitions = 0;
    const closure = this.#inner.getRecursive(digest, options);
    for await (const directory of abortable(closure, options.signal)) {
      if (!validator.add(directory).repeated) yield directory;
      else if (++repetitions > MAX_REPETITIONS) {
        throw new CastoreError(
          "CORRUPT",
          `Cannot read directory ${digest}: the store repeats itself`,
        );
      }
    }
    validator.finalize();
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    options.signal?.throwIfAborted();
    const answered = await orAbort(this.#inner.put(directory, options), options.signal);
    return checkAnswer(answered, directoryDigest(directory));
  }

  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    const closure = new CheckedClosure(abortable(directories, options.signal));
    let answered: B3Digest;
    try {
      answered = await orAbort(this.#inner.putMultiple(closure.checked(), options), options.signal);
    } catch (error) {
      throw closure.failure ?? error;
    }
    return checkAnswer(answered, closure.root);
  }
}

/** A closure on its way into a store that may not look at it. */
class CheckedClosure {
  readonly #source: AsyncIterable<Directory>;
  #root: B3Digest | undefined;
  #failure: unknown;

  constructor(source: AsyncIterable<Directory>) {
    this.#source = source;
  }

  /** The digest of the root, as far as all of it was taken. */
  get root(): B3Digest | undefined {
    return this.#root;
  }

  /** What the source, or the check of it, failed with: the store may report that in other words. */
  get failure(): unknown {
    return this.#failure;
  }

  async *checked(): AsyncGenerator<Directory, void, undefined> {
    const validator = new LeavesToRootValidator();
    try {
      for await (const directory of this.#source) {
        validator.add(directory);
        yield directory;
      }
      // Before the store learns that this was all.
      this.#root = validator.finalize();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }
}

function checkAnswer(answered: B3Digest, stored: B3Digest | undefined): B3Digest {
  if (stored?.equals(answered) === true) return answered;
  const state = stored === undefined ? "without taking all of them" : `when it was given ${stored}`;
  throw new CastoreError(
    "CORRUPT",
    `Cannot store directories: the store answers ${answered} ${state}`,
  );
}
