import type { B3Digest } from "../digest.js";
import type { Directory } from "../nodes/directory.js";
import type { Node } from "../nodes/node.js";
import type { IngestOptions, IngestProgress, IngestResult, IngestServices } from "./ingest.js";
import { type RawPath, rawPathBytes, toRawPath } from "./raw-path.js";
import { type LentBatch, readInThread } from "./read-in-thread.js";
import { finishStatRecord } from "./stat-record.js";
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
  const unchanged = await lookUp(services, root, options);
  if (unchanged !== undefined) return unchanged;
  const ingestion = new Ingestion(services, root, options);
  const node = await ingestion.run();
  return { node, observed: true, progress: ingestion.progress };
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
      // What is still on its way after a failure may fail too; one report is enough.
      for (const batch of this.#pending) batch.digests.catch(() => {});
    }
    await this.#saveRecords();
    return this.#assembler.root;
  }

  /** Reads the tree; yields its Directories, each once the content that it names is acknowledged. */
  async *#directories(): AsyncGenerator<Directory, void, undefined> {
    const batches = readInThread(this.#root, this.#options.signal);
    try {
      for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
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
    const digests =
      feed.files.length === 0
        ? Promise.resolve([])
        : this.#services.blobs.putMany(feed.files, this.#options);
    // The services look at the content until they have acknowledged it.
    void digests.then(release, release);
    this.#await({ events: batch.events, bytes: batch.length, digests });
    this.#options.onProgress?.(this.progress);
    return feed.large;
  }

  /** Streams the pieces of a large file into one blob; other batches wait in the reader meanwhile. */
  async #takeLarge(
    large: { size: number; executable: boolean },
    batches: AsyncGenerator<LentBatch, void, undefined>,
  ): Promise<void> {
    let piecesEnded = (): void => {};
    const ended = new Promise<void>((resolve) => {
      piecesEnded = resolve;
    });
    const digest = this.#services.blobs.put(this.#pieces(batches, piecesEnded), this.#options);
    this.#await({
      events: new Uint8Array(0),
      bytes: LARGE_FILE_BYTES,
      digests: digest.then((found) => [found]),
      large,
    });
    // Not the blob's end but that of its pieces: what comes next can be read while it is made durable.
    // A service that fails may never ask for another piece.
    await Promise.race([ended, digest]);
    this.#files += 1;
  }

  async *#pieces(
    batches: AsyncGenerator<LentBatch, void, undefined>,
    ended: () => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let isLast = false; !isLast; ) {
        const next = await batches.next();
        if (next.done === true) return;
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
    } finally {
      ended();
    }
  }

  #await(batch: PendingBatch): void {
    batch.digests.catch(() => {});
    this.#pending.push(batch);
    this.#unacknowledged += batch.bytes;
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

  #remember({ directory, node, record, path }: AssembledDirectory): void {
    if (this.#options.statCache === undefined || record.byteLength === 0) return;
    const names = path.map((name) => `/${name.key}`).join("");
    const key = rawPathBytes(this.#root === "/" && names !== "" ? names : this.#root + names);
    const children = directory.entries.flatMap((entry) =>
      entry.node.type === "directory" ? [entry.node.digest] : [],
    );
    const rule = this.#options.sizeRule ?? "documented";
    const value = finishStatRecord(record, node, children, rule);
    this.#records.push({ key, value });
    this.#recordBytes += key.byteLength + value.byteLength;
  }

  async #saveRecords(): Promise<void> {
    const records = this.#records;
    this.#records = [];
    this.#recordBytes = 0;
    if (records.length > 0) await this.#options.statCache?.putMany(records);
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
