import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { Directory } from "../nodes/directory.js";
import type { Node } from "../nodes/node.js";
import { CallSignal } from "./call-signal.js";
import type { IngestOptions, IngestProgress, IngestResult, IngestServices } from "./ingest.js";
import { type RawPath, toRawPath } from "./raw-path.js";
import { type LentBatch, readInThread } from "./read-in-thread.js";
import { StatRecordTree } from "./stat-record-tree.js";
import { scanUnchanged } from "./stat-scan.js";
import { type AssembledDirectory, TreeAssembler } from "./tree-assembler.js";
import { visitTreeEvents } from "./tree-events.js";

/** Content that has been handed to the blob service and is not acknowledged yet, in bytes. */
const MAX_UNACKNOWLEDGED_BYTES = 24 * 1024 * 1024;

/**
 * What a large file counts for among the unacknowledged bytes, whatever its size: a service holds a
 * part of it at a time, and a few blocks of memory for it.
 */
const LARGE_FILE_BYTES = 4 * 1024 * 1024;

/** Stat records that are gathered before they are written, in bytes. */
const STAT_RECORD_BYTES = 1024 * 1024;

/**
 * Imports the file, directory or symbolic link at `path`: content into the blob service, Directories,
 * once their content is there, into the directory service. The root of the closure comes last.
 *
 * Links are never followed; a file is executable when its owner may execute it; everything else about
 * it (times, owners, other mode bits, attributes) is dropped, and names are bytes, as Nix does it.
 * Sockets, fifos and devices are refused.
 *
 * @throws {@link ImportError} naming the path; errors of the services as they are
 */
export async function ingestPath(
  services: IngestServices,
  path: string | Uint8Array,
  options: IngestOptions = {},
): Promise<IngestResult> {
  const root = toRawPath(path);
  const call = new CallSignal(options.signal);
  try {
    const callOptions = { ...options, signal: call.signal };
    const unchanged = await lookUp(services, root, callOptions);
    if (unchanged !== undefined) return unchanged;
    const ingestion = new Ingestion(services, root, callOptions);
    const node = await ingestion.run();
    return { node, observed: true, progress: ingestion.progress };
  } finally {
    call.end();
  }
}

async function lookUp(
  { directories }: IngestServices,
  root: RawPath,
  options: IngestOptions,
): Promise<IngestResult | undefined> {
  const { statCache, sizeRule = "documented" } = options;
  const scan = statCache && (await scanUnchanged(root, statCache, sizeRule, options));
  if (scan === undefined) return undefined;
  // Whoever has a Directory has its closure, so that the root answers for all of it.
  const directory = await directories.get(scan.node.digest, options);
  if (directory?.size(sizeRule) !== scan.node.size) return undefined;
  return {
    node: scan.node,
    observed: false,
    progress: { entries: scan.entries, files: 0, bytes: 0 },
  };
}

/** A batch whose content is on its way to the blob service. */
interface PendingBatch {
  readonly events: Uint8Array;
  readonly bytes: number;
  readonly digests: Promise<readonly B3Digest[]>;
  /** Set when the digest is that of a large file whose event came last in the batch before. */
  readonly large?: { readonly size: number; readonly executable: boolean };
}

class Ingestion {
  readonly #services: IngestServices;
  readonly #root: RawPath;
  readonly #options: IngestOptions;
  readonly #assembler: TreeAssembler;
  readonly #pending: PendingBatch[] = [];
  #unacknowledged = 0;
  /** What failed first among all that is on its way. */
  #failure: { readonly error: unknown } | undefined;
  readonly #recordTree: StatRecordTree;
  #records: { key: Uint8Array; value: Uint8Array }[] = [];
  #recordBytes = 0;
  #entries = 0;
  #files = 0;
  #bytes = 0;

  constructor(services: IngestServices, root: RawPath, options: IngestOptions) {
    this.#services = services;
    this.#root = root;
    this.#options = options;
    this.#assembler = new TreeAssembler(options.sizeRule ?? "documented");
    this.#recordTree = new StatRecordTree(root, options);
  }

  get progress(): IngestProgress {
    return { entries: this.#entries, files: this.#files, bytes: this.#bytes };
  }

  async run(): Promise<Node> {
    const directories = this.#directories();
    try {
      const first = await directories.next();
      if (first.done !== true) {
        await this.#services.directories.putMultiple(
          startingWith(first.value, directories),
          this.#options,
        );
      }
    } finally {
      await directories.return();
    }
    await this.#saveRecords();
    return this.#assembler.root;
  }

  /** Reads the tree; yields its Directories, each once the content that it names is acknowledged. */
  async *#directories(): AsyncGenerator<Directory, void, undefined> {
    const batches = readInThread(this.#root, this.#options.signal);
    try {
      for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
        this.#throwFailure();
        const large = this.#take(next.value);
        if (large !== undefined) await this.#takeLarge(large, batches);
        while (this.#unacknowledged > MAX_UNACKNOWLEDGED_BYTES) yield* this.#assembleNext();
      }
      while (this.#pending.length > 0) yield* this.#assembleNext();
    } finally {
      await batches.return();
    }
  }

  /** @returns the large file whose content follows, if one does */
  #take({ batch, release }: LentBatch): { size: number; executable: boolean } | undefined {
    const feed = new BatchFeed(batch.memory, this.#options.observer);
    visitTreeEvents(batch.events, feed);
    this.#entries += feed.entries;
    this.#files += feed.files.length;
    this.#bytes += batch.length;
    const digests = this.#putMany(feed.files);
    // The services look at the content until they have acknowledged it.
    void digests.then(release, release);
    this.#await({ events: batch.events, bytes: batch.length + batch.events.byteLength, digests });
    this.#options.onProgress?.(this.progress);
    return feed.large;
  }

  async #putMany(files: readonly Uint8Array[]): Promise<readonly B3Digest[]> {
    if (files.length === 0) return [];
    const digests = await this.#services.blobs.putMany(files, this.#options);
    if (digests.length !== files.length) {
      const what = `the store gave ${digests.length} digests for ${files.length} blobs`;
      throw new CastoreError("STORAGE", `Cannot import: ${what}`);
    }
    return digests;
  }

  /** Streams the pieces of a large file into one blob; other batches wait in the reader meanwhile. */
  async #takeLarge(
    large: { size: number; executable: boolean },
    batches: AsyncGenerator<LentBatch, void, undefined>,
  ): Promise<void> {
    const pieces = new Pieces();
    const source = this.#pieces(batches, pieces);
    const digests = this.#services.blobs.put(source, this.#options).then((digest) => {
      pieces.checkAllTaken();
      return [digest];
    });
    this.#await({ events: new Uint8Array(0), bytes: LARGE_FILE_BYTES, digests, large });
    // Not the blob's end but that of its pieces: what comes next can be read while it is made durable.
    // A service that fails may never ask for another piece.
    await Promise.race([pieces.allTaken, digests]);
    this.#files += 1;
  }

  async *#pieces(
    batches: AsyncGenerator<LentBatch, void, undefined>,
    pieces: Pieces,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for (let isLast = false; !isLast; ) {
      const next = await batches.next();
      this.#throwFailure();
      if (next.done === true) throw new CastoreError("STORAGE", "Cannot import: reading has ended");
      const { batch, release } = next.value;
      isLast = batch.piece === "last";
      const piece = batch.memory.subarray(0, batch.length);
      this.#options.observer?.fileBytes(piece);
      yield piece;
      release();
      this.#bytes += batch.length;
      this.#options.onProgress?.(this.progress);
    }
    this.#options.observer?.endFile();
    pieces.end();
  }

  #await(batch: PendingBatch): void {
    batch.digests.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    this.#pending.push(batch);
    this.#unacknowledged += batch.bytes;
  }

  /** So that reading does not go on for long after something has failed. */
  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async *#assembleNext(): AsyncGenerator<Directory, void, undefined> {
    const batch = this.#pending[0] as PendingBatch;
    const digests = await batch.digests;
    this.#pending.shift();
    this.#unacknowledged -= batch.bytes;
    if (batch.large !== undefined) {
      this.#assembler.placeLargeFile(
        digests[0] as B3Digest,
        batch.large.size,
        batch.large.executable,
      );
      return;
    }
    this.#assembler.expectDigests(digests);
    visitTreeEvents(batch.events, this.#assembler);
    for (const assembled of this.#assembler.takeCompleted()) {
      this.#remember(assembled);
      yield assembled.directory;
    }
    if (this.#recordBytes > STAT_RECORD_BYTES) await this.#saveRecords();
  }

  #remember(assembled: AssembledDirectory): void {
    if (this.#options.statCache === undefined) return;
    for (const record of this.#recordTree.add(assembled)) {
      this.#records.push(record);
      this.#recordBytes += record.key.byteLength + record.value.byteLength;
    }
  }

  async #saveRecords(): Promise<void> {
    const records = this.#records;
    this.#records = [];
    this.#recordBytes = 0;
    if (records.length > 0) await this.#options.statCache?.putMany(records);
  }
}

/** Whether all pieces of a large file have been taken. */
class Pieces {
  readonly allTaken: Promise<void>;
  #ended = false;
  #resolve = (): void => {};

  constructor() {
    this.allTaken = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  end(): void {
    this.#ended = true;
    this.#resolve();
  }

  checkAllTaken(): void {
    if (!this.#ended)
      throw new CastoreError("STORAGE", "Cannot import: the store did not take all of a file");
  }
}

/** Tells an observer the events of a batch, and collects the files in it. */
class BatchFeed {
  readonly files: Uint8Array[] = [];
  entries = 0;
  large: { size: number; executable: boolean } | undefined;
  readonly #content: Uint8Array;
  readonly #observer: IngestOptions["observer"];
  #offset = 0;

  constructor(content: Uint8Array, observer: IngestOptions["observer"]) {
    this.#content = content;
    this.#observer = observer;
  }

  beginDirectory(): void {
    this.entries += 1;
    this.#observer?.beginDirectory();
  }

  entry(name: Uint8Array): void {
    this.#observer?.entry(name);
  }

  endDirectory(): void {
    this.#observer?.endDirectory();
  }

  symlink(target: Uint8Array): void {
    this.entries += 1;
    this.#observer?.symlink(target);
  }

  file(size: number, executable: boolean): void {
    this.entries += 1;
    const bytes = this.#content.subarray(this.#offset, this.#offset + size);
    this.#offset += size;
    this.files.push(bytes);
    this.#observer?.beginFile(size, executable);
    if (size > 0) this.#observer?.fileBytes(bytes);
    this.#observer?.endFile();
  }

  largeFile(size: number, executable: boolean): void {
    this.entries += 1;
    this.large = { size, executable };
    this.#observer?.beginFile(size, executable);
  }
}

async function* startingWith<T>(
  first: T,
  rest: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  yield first;
  yield* rest;
}
