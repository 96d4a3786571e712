import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import { openBlobs } from "../blobservice/open-blobs.js";
import { CastoreError } from "../errors.js";
import type { FileNode } from "../nodes/node.js";

/** A file whose content is wanted. */
export interface WantedFile<T> {
  readonly node: FileNode;
  /** Of the caller. */
  readonly tag: T;
}

/** Content of files that are read together, and how much of it there may be in memory at a time. */
const BATCH_BYTES = 2 * 1024 * 1024;
const BATCH_FILES = 1024;
const BATCHES_AT_A_TIME = 4;

/** Files up to this size are read many at a time. */
export const SMALL_FILE_BYTES: number = 512 * 1024;

/**
 * Gives the content of files to `take`, which is called for one after the other, in about their order, while the content
 * of others is read. All of it is verified.
 */
export class ContentBatches<T> {
  readonly #blobs: BlobService;
  readonly #take: (file: WantedFile<T>, content: Uint8Array) => void;
  readonly #call: CallOptions;
  readonly #expectedBytes: number;
  #batch: WantedFile<T>[] = [];
  #bytes = 0;
  readonly #underWay = new Set<Promise<void>>();
  readonly #spare: SharedArrayBuffer[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(
    blobs: BlobService,
    take: (file: WantedFile<T>, content: Uint8Array) => void,
    options: CallOptions & { readonly expectedBytes: number },
  ) {
    this.#blobs = blobs;
    this.#take = take;
    this.#expectedBytes = options.expectedBytes;
    this.#call = options.signal === undefined ? {} : { signal: options.signal };
  }

  /** Wants a file of up to {@link SMALL_FILE_BYTES}. @returns to be waited for before the next one is wanted */
  add(file: WantedFile<T>): Promise<void> | undefined {
    const size = Number(file.node.size);
    const isFull = this.#bytes + size > BATCH_BYTES || this.#batch.length === BATCH_FILES;
    const started = isFull ? this.#start() : undefined;
    this.#batch.push(file);
    this.#bytes += size;
    return started;
  }

  /** Waits until the content of all has been taken. */
  async finish(): Promise<void> {
    await this.#start();
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits until nothing is read any more, whatever came of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #start(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    while (this.#underWay.size >= BATCHES_AT_A_TIME) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
    if (batch.length === 0) return;
    const work: Promise<void> = this.#read(batch)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #read(batch: readonly WantedFile<T>[]): Promise<void> {
    const rest = await this.#fill(batch);
    if (rest.length === 0) return;
    const digests = rest.map(({ node }) => node.digest);
    const options = { ...this.#call, inlineBytes: SMALL_FILE_BYTES };
    const opened = await openBlobs(this.#blobs, digests, options);
    for (const [i, file] of rest.entries()) {
      const blob = opened[i];
      if (blob === undefined) throw missing(file.node);
      const length = blob instanceof Uint8Array ? blob.byteLength : blob.size;
      if (length !== Number(file.node.size)) throw otherSize(file.node, length);
      if (blob instanceof Uint8Array) {
        this.#give(file, blob);
        continue;
      }
      const content = new Uint8Array(length);
      let at = 0;
      for await (const bytes of blob.stream({}, this.#call)) {
        content.set(bytes, at);
        at += bytes.byteLength;
      }
      this.#give(file, content);
    }
  }

  /** @returns the files whose content cannot be had that way */
  async #fill(batch: readonly WantedFile<T>[]): Promise<readonly WantedFile<T>[]> {
    if (this.#blobs.fillMany === undefined) return batch;
    const memory = this.#spare.pop() ?? new SharedArrayBuffer(BATCH_BYTES);
    let offset = 0;
    const places = batch.map(({ node }) => {
      const length = Number(node.size);
      offset += length;
      return { digest: node.digest, offset: offset - length, length };
    });
    const options = { ...this.#call, expectedBytes: this.#expectedBytes };
    const missed = new Set(await this.#blobs.fillMany(places, memory, options));
    for (const [i, file] of batch.entries()) {
      const place = places[i];
      if (place === undefined || missed.has(i)) continue;
      this.#give(file, new Uint8Array(memory, place.offset, place.length));
    }
    this.#spare.push(memory);
    return batch.filter((_, i) => missed.has(i));
  }

  #give(file: WantedFile<T>, content: Uint8Array): void {
    // What others have found wrong ends all.
    if (this.#failure === undefined) this.#take(file, content);
  }
}

export function missing({ digest }: FileNode): CastoreError {
  return new CastoreError("MISSING_REFERENCE", `Cannot export blob ${digest}: it is not stored`);
}

export function otherSize({ digest, size }: FileNode, actual: number): CastoreError {
  const what = `it has ${actual} bytes, and a directory says ${size}`;
  return new CastoreError("CORRUPT", `Cannot export blob ${digest}: ${what}`);
}
