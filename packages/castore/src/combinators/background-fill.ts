import type { BlobService } from "../blobservice/blob-service.js";
import { Semaphore } from "../semaphore.js";
import type { ChunkLayout } from "./chunk-layout.js";
import type { FarBlob } from "./far-blobs.js";
import type { NearBlobs } from "./near-blobs.js";

/** Blobs that are filled at a time, and chunks of each that are asked for. */
const BLOBS_AT_A_TIME = 2;
const CHUNKS_AT_A_TIME = 4;

/** Blobs that wait at most; those beyond are filled when they are read again. */
const MAX_WAITING = 1000;

/** Fetches what is missing of blobs of which a part was read. */
export class BackgroundFill {
  readonly #near: BlobService;
  readonly #filling: NearBlobs;
  readonly #places = new Semaphore(BLOBS_AT_A_TIME);
  readonly #waiting = new Set<string>();
  readonly #closing = new AbortController();

  constructor(near: BlobService, filling: NearBlobs) {
    this.#near = near;
    this.#filling = filling;
  }

  add(blob: FarBlob, layout: ChunkLayout): void {
    const { key } = blob.digest;
    const { signal } = this.#closing;
    if (signal.aborted || this.#waiting.has(key) || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.add(key);
    const fill = async (): Promise<void> => {
      try {
        await this.#places.run(() => this.#fill(blob, layout, signal), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        this.#waiting.delete(key);
      }
    };
    this.#filling.inBackground(fill());
  }

  /** Gives up what is not done. */
  close(): void {
    this.#closing.abort();
  }

  /** Chunks that near has are left out, wherever the list is from: near holds the whole against its digest. */
  async #fill(blob: FarBlob, layout: ChunkLayout, signal: AbortSignal): Promise<void> {
    const chunks = layout.toChunks();
    const present = await this.#near.hasMany(
      chunks.map(({ digest }) => digest),
      { signal },
    );
    const missing = [...present.keys()].filter((i) => present[i] !== true);
    const work = async (): Promise<void> => {
      try {
        for (let i = missing.shift(); i !== undefined; i = missing.shift()) {
          await this.#filling.chunk(blob, layout, i, { trustsList: true, signal });
        }
      } finally {
        // After a failure nobody goes on.
        missing.length = 0;
      }
    };
    await Promise.all(Array.from({ length: CHUNKS_AT_A_TIME }, work));
    this.#filling.assemble(blob, layout);
  }
}
