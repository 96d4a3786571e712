import type { B3Digest, Directory, DirectorySizeRule, Node } from "@tvix/castore";
import { StoreError } from "../errors.js";
import type { NarCalculation } from "../nar-calculation.js";
import { PROCESS_BUDGET } from "./ingest-budget.js";
import { NarBatch } from "./nar-batch.js";
import type { NarEvent, NarFileBegin } from "./nar-event.js";
import { NarFeed } from "./nar-feed.js";
import type { NarLimits } from "./nar-limits.js";
import { NodeAssembler, type TreeStep } from "./node-assembler.js";
import type { CastoreServices } from "./renderer.js";

/** Files up to this size are gathered and stored many at a time; larger ones are streamed. */
const SMALL_FILE_BYTES = 1024 * 1024;

/**
 * What is gathered before it is handed to the blob service, in bytes: little at first, so that it has something
 * to do while more comes, and twice as much each time, since many small batches cost more.
 */
const FIRST_BATCH_BYTES = 128 * 1024;
const MAX_BATCH_BYTES = 1024 * 1024;

/** What one ingestion has handed to the blob service and is not acknowledged yet, in bytes; less when there are many. */
const MAX_UNACKNOWLEDGED_BYTES = 24 * 1024 * 1024;

/**
 * What a streamed file counts for among the unacknowledged bytes, whatever its size: a service holds
 * a part of it at a time.
 */
const LARGE_FILE_BYTES = 4 * 1024 * 1024;

export interface IngestNarOptions {
  /** Ends the ingestion: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly limits?: NarLimits;
  /**
   * Is told the bytes of the NAR, all of them, in order, a chunk at a time: framing, names and
   * targets as well as content, which is what Nix scans for references. The bytes are valid during
   * the call only. What it throws ends the ingestion.
   */
  readonly onBytes?: (bytes: Uint8Array) => void;
  /** How the size of directories counts; "documented" by default. */
  readonly sizeRule?: DirectorySizeRule;
}

/** A NAR that is in castore. */
export interface IngestedNar extends NarCalculation {
  readonly root: Node;
}

/**
 * Stores what a NAR says: content in the blob service, Directories, once their content is there, in
 * the directory service, the root last. One pass, in which size and SHA-256 are computed of exactly
 * the bytes that were parsed. Memory is bounded, some 30 MiB and the directories that are open,
 * whatever comes: small files are stored many at a time while parsing goes on, large ones are
 * streamed one after the other.
 *
 * The source must leave its arrays alone after it has yielded them: small files are stored out of
 * them, without a copy. It is closed on every path.
 *
 * When it rejects, nothing it began goes on, and nobody can see a root of what was read; content that
 * was stored by then stays. A file that is cut off never becomes a blob.
 *
 * @throws `NarFormatError`; what the source or the services throw passes through as it is
 */
export async function ingestNar(
  services: CastoreServices,
  source: AsyncIterable<Uint8Array>,
  options: IngestNarOptions = {},
): Promise<IngestedNar> {
  return new NarIngestion(services, source, options).run();
}

/** Steps whose content is on its way to the blob service. */
interface PendingBatch {
  readonly steps: readonly TreeStep[];
  /** Of the files among the steps. */
  readonly digests: Promise<readonly B3Digest[]>;
  readonly weight: number;
}

class NarIngestion {
  readonly #services: CastoreServices;
  readonly #userSignal: AbortSignal | undefined;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #feed: NarFeed;
  readonly #assembler: NodeAssembler;
  readonly #pending: PendingBatch[] = [];
  #unacknowledged = 0;
  #batchBytes = FIRST_BATCH_BYTES;
  #complete = false;
  /** What failed first of all that goes on at the same time. */
  #failure: { readonly error: unknown } | undefined;

  constructor(
    services: CastoreServices,
    source: AsyncIterable<Uint8Array>,
    options: IngestNarOptions,
  ) {
    const ended = this.#ended.signal;
    this.#services = services;
    this.#userSignal = options.signal;
    this.#signal = options.signal ? AbortSignal.any([options.signal, ended]) : ended;
    this.#feed = new NarFeed(source, this.#signal, options);
    this.#assembler = new NodeAssembler(options.sizeRule ?? "documented");
  }

  async run(): Promise<IngestedNar> {
    const directories = this.#directories();
    try {
      await this.#putDirectories(directories);
      return { root: this.#assembler.root, ...this.#feed.finish() };
    } catch (error) {
      this.#fail(error);
      this.#userSignal?.throwIfAborted();
      throw this.#failure?.error;
    } finally {
      await directories.return();
      await Promise.allSettled(this.#pending.map(({ digests }) => digests));
      // What failed, or was never assembled, is not under way any more.
      this.#count(-this.#unacknowledged);
    }
  }

  async #putDirectories(directories: AsyncGenerator<Directory, void, undefined>): Promise<void> {
    const first = await directories.next();
    // Without a Directory the root is a file or a link.
    if (first.done === true) return;
    const all = startingWith(first.value, directories);
    await this.#services.directories.putMultiple(all, { signal: this.#signal });
    if (!this.#complete) {
      throw new StoreError(
        "STORAGE",
        "Cannot ingest a NAR: the store did not take all of its tree",
      );
    }
  }

  /** Reads the NAR; yields its Directories, each once the content that it names is acknowledged. */
  async *#directories(): AsyncGenerator<Directory, void, undefined> {
    const batch = new NarBatch();
    try {
      for (let event = await this.#event(); event !== undefined; ) {
        if (event.type === "file" && event.size > SMALL_FILE_BYTES) {
          this.#send(batch);
          await this.#streamFile(event);
        } else batch.add(event);
        if (batch.weight > (PROCESS_BUDGET.isTight ? FIRST_BATCH_BYTES : this.#batchBytes)) {
          this.#send(batch);
          this.#batchBytes = Math.min(2 * this.#batchBytes, MAX_BATCH_BYTES);
        }
        while (this.#hasTooMuch()) yield* await this.#assembleNext();
        event = this.#feed.next() ?? (await this.#event());
      }
      this.#send(batch);
      while (this.#pending.length > 0) yield* await this.#assembleNext();
      this.#complete = true;
    } catch (error) {
      // Here and not where it arrives: a service may pass it on as the cause of an error of its own.
      this.#fail(error);
      throw error;
    } finally {
      await this.#feed.close();
    }
  }

  /** The next event, however long it takes; `undefined` at the end. */
  async #event(): Promise<NarEvent | undefined> {
    for (;;) {
      const event = this.#feed.next();
      if (event !== undefined) return event;
      if (!(await this.#feed.refill())) return undefined;
    }
  }

  #send(batch: NarBatch): void {
    const { steps, blobs, weight } = batch.take();
    if (steps.length > 0) this.#await({ steps, weight, digests: this.#putMany(blobs) });
  }

  async #putMany(blobs: readonly Uint8Array[]): Promise<readonly B3Digest[]> {
    if (blobs.length === 0) return [];
    const digests = await this.#services.blobs.putMany(blobs, { signal: this.#signal });
    if (digests.length !== blobs.length) {
      const what = `the store gave ${digests.length} digests for ${blobs.length} blobs`;
      throw new StoreError("STORAGE", `Cannot ingest a NAR: ${what}`);
    }
    return digests;
  }

  /** Streams the content of a file into one blob, to its end; nobody else reads meanwhile. */
  async #streamFile(file: NarFileBegin): Promise<void> {
    let isAllTaken = false;
    let allTaken = (): void => {};
    const taken = new Promise<void>((resolve) => {
      allTaken = () => {
        isAllTaken = true;
        resolve();
      };
    });
    const content = this.#content(allTaken);
    const digests = this.#services.blobs.put(content, { signal: this.#signal }).then((digest) => {
      if (isAllTaken) return [digest];
      throw new StoreError("STORAGE", "Cannot ingest a NAR: the store did not take all of a file");
    });
    this.#await({ steps: [file], weight: LARGE_FILE_BYTES, digests });
    // Not the blob's end but that of its content: what follows can be read while it is made durable.
    // A service that fails may never ask for all of it.
    await Promise.race([taken, digests]);
  }

  /** The content of the file that has begun. Fails when it is cut off, so that no blob comes of it. */
  async *#content(onEnd: () => void): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let event = await this.#event(); event?.type === "content"; ) {
        yield event.bytes;
        event = this.#feed.next() ?? (await this.#event());
      }
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    onEnd();
  }

  #await(batch: PendingBatch): void {
    batch.digests.catch((error: unknown) => this.#fail(error));
    this.#pending.push(batch);
    this.#count(batch.weight);
  }

  async #assembleNext(): Promise<Directory[]> {
    const { steps, digests, weight } = this.#pending[0] as PendingBatch;
    const completed = this.#assembler.take(steps, await digests);
    this.#pending.shift();
    this.#count(-weight);
    return completed;
  }

  #hasTooMuch(): boolean {
    const mustWait = PROCESS_BUDGET.mustWait(this.#unacknowledged, MAX_UNACKNOWLEDGED_BYTES);
    return mustWait && this.#pending.length > 0;
  }

  #count(bytes: number): void {
    this.#unacknowledged += bytes;
    PROCESS_BUDGET.add(bytes);
  }

  /** Ends everything that is under way: nobody waits for a source that says nothing. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#ended.abort(this.#failure.error);
  }
}

async function* startingWith<T>(
  first: T,
  rest: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  yield first;
  yield* rest;
}
