import { abortable } from "../blobservice/abortable.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import type { DirectoryService } from "../directoryservice/directory-service.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import { leavesToRoot } from "../traversal/closure-order.js";
import { whenAll } from "../when-all.js";
import { directoryDigest } from "../wire/directory-digest.js";
import { firstAnswer } from "./ask-stores.js";
import { firstStream } from "./ask-streams.js";
import { encodedLength, readAction } from "./guarded-directories.js";
import { GuardedStore, type GuardOptions, type StoreMember } from "./guarded-store.js";
import { Healing } from "./healing.js";
import {
  answersOf,
  type MirrorOptions,
  quorumOf,
  type WriteResult,
  writeResult,
} from "./mirror-writes.js";
import { Tee } from "./tee.js";

/** Encoded Directories of a closure that a store gets when it lacks the root, in bytes; a larger one it does not get. */
const MAX_HEALED_BYTES = 64 * 1024 * 1024;

/**
 * The same Directories in several stores. A write has succeeded when enough of them have taken it; one that did not
 * lacks it until somebody reads it, and gets the whole closure then, in the background. They are read in their order.
 */
export class MirrorDirectoryService implements DirectoryService, AsyncDisposable {
  readonly #stores: readonly GuardedStore<DirectoryService>[];
  readonly #byService: ReadonlyMap<DirectoryService, GuardedStore<DirectoryService>>;
  readonly #quorum: number;
  readonly #healing: Healing | undefined;

  /** @throws RangeError for a quorum that cannot be reached, or no stores */
  constructor(
    stores: readonly StoreMember<DirectoryService>[],
    options: MirrorOptions & GuardOptions = {},
  ) {
    this.#quorum = quorumOf(stores.length, options);
    this.#stores = stores.map((member) => new GuardedStore(member, options));
    this.#byService = new Map(
      this.#stores.flatMap((store, i) => {
        const service = stores[i]?.service;
        return service === undefined ? [] : [[service, store]];
      }),
    );
    this.#healing = options.heal === false ? undefined : new Healing(options.onHealError);
  }

  /** @throws {@link CastoreError} when none has it and some did not answer */
  async get(digest: B3Digest, options: CallOptions = {}): Promise<Directory | undefined> {
    const lacking: DirectoryService[] = [];
    const ask = async (service: DirectoryService, call: CallOptions) => {
      const directory = await service.get(digest, call);
      if (directory === undefined) lacking.push(service);
      return directory;
    };
    const found = await firstAnswer(this.#stores, ask, { ...options, action: readAction(digest) });
    if (found !== undefined) this.#heal(digest, lacking);
    return found;
  }

  /** As the contract says. Once the root was given out, all comes from the store that has given it. */
  async *getRecursive(
    digest: B3Digest,
    options: CallOptions = {},
  ): AsyncGenerator<Directory, void, undefined> {
    const lacking: DirectoryService[] = [];
    let isFound = false;
    for await (const directory of this.#read(digest, lacking, options)) {
      isFound = true;
      yield directory;
    }
    if (isFound) this.#heal(digest, lacking);
  }

  async put(directory: Directory, options: CallOptions = {}): Promise<B3Digest> {
    options.signal?.throwIfAborted();
    const puts = this.#stores.map((store) => {
      const put = store.run((service, call) => service.put(directory, call), options);
      return writeResult(store.name, put, options.signal);
    });
    return this.#judge(await Promise.all(puts));
  }

  /** As the contract says. The slowest store sets the pace, as long as it is not too slow. */
  async putMultiple(
    directories: AsyncIterable<Directory> | Iterable<Directory>,
    options: CallOptions = {},
  ): Promise<B3Digest> {
    let failure: { readonly error: unknown } | undefined;
    const source = abortable(directories, options.signal);
    async function* watched(): AsyncGenerator<Directory, void, undefined> {
      try {
        yield* source;
      } catch (error) {
        failure = { error };
        throw error;
      }
    }
    const tee = new Tee(watched());
    try {
      const branches = this.#stores.map((store) => ({ store, branch: tee.branch() }));
      const puts = branches.map(async ({ store, branch }) => {
        try {
          const put = store.feed(
            branch,
            (service, given, call) => service.putMultiple(given, call),
            options,
          );
          return await writeResult(store.name, put, options.signal);
        } finally {
          branch.leave();
        }
      });
      const results = await Promise.all(puts);
      if (failure !== undefined) throw failure.error;
      return this.#judge(results);
    } finally {
      // Perhaps nobody has asked it for anything: then it has to be begun to be closed.
      if (options.signal?.aborted === true) await source.next().catch(() => {});
      else await source.return();
    }
  }

  /** Fulfils when no store is being given what it lacks. */
  async healed(): Promise<void> {
    await this.#healing?.idle();
  }

  /** Ends what goes on in the background. */
  async close(): Promise<void> {
    await this.#healing?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #read(
    digest: B3Digest,
    lacking: DirectoryService[],
    options: CallOptions,
  ): AsyncGenerator<Directory, void, undefined> {
    async function* open(service: DirectoryService, call: CallOptions) {
      let isFound = false;
      for await (const directory of service.getRecursive(digest, call)) {
        isFound = true;
        yield directory;
      }
      if (!isFound) lacking.push(service);
    }
    const ask = { ...options, action: readAction(digest), bytesOf: encodedLength };
    return firstStream(this.#stores, open, ask);
  }

  #judge(results: readonly WriteResult<B3Digest>[]): B3Digest {
    const [digest] = answersOf(results, this.#quorum, "Cannot store directories");
    if (digest !== undefined) return digest;
    throw new RangeError("Cannot store directories: there are no stores");
  }

  #heal(digest: B3Digest, lacking: readonly DirectoryService[]): void {
    if (lacking.length === 0) return;
    this.#healing?.start(digest.key, async (signal) => {
      const closure = await this.#collect(digest, signal);
      const root = closure.get(digest.key);
      if (root === undefined) return;
      const put = (given: DirectoryService, call: CallOptions) =>
        given.putMultiple(leavesToRoot(root, closure), call);
      const puts = lacking.map(async (service) => {
        await this.#byService.get(service)?.run(put, { signal });
      });
      await whenAll(puts);
    });
  }

  async #collect(digest: B3Digest, signal: AbortSignal): Promise<Map<string, Directory>> {
    const closure = new Map<string, Directory>();
    let bytes = 0;
    for await (const directory of this.#read(digest, [], { signal })) {
      bytes += encodedLength(directory);
      if (bytes > MAX_HEALED_BYTES) {
        const state = `its closure is larger than ${MAX_HEALED_BYTES} bytes`;
        throw new CastoreError("UNSUPPORTED", `Cannot mirror directory ${digest}: ${state}`);
      }
      closure.set(directoryDigest(directory).key, directory);
    }
    return closure;
  }
}
