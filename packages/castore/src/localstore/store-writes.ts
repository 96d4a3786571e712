import type { ChunkMeta, PutManyOptions } from "../blobservice/blob-service.js";
import { B3Digest, splitDigests } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { Encoded } from "./encoder-pool.js";
import type { RecordKind } from "./pack-format.js";
import { encodeRecord, maxRecordLength } from "./record.js";
import { type EncodedPayloads, RecordEncoder } from "./record-encoder.js";
import { inSharedMemory } from "./shared-payloads.js";
import type { StoreCore } from "./store-core.js";
import type { Writer } from "./writer.js";

/** A blob on its way, piece after piece. */
export interface CutBlob {
  /** Takes the next piece, which is given back when nobody looks at it any more. */
  add(piece: Uint8Array, isLast: boolean): Promise<CutChunks>;
  /** Forgets the blob; harmless after its last piece. */
  abandon(): void;
}

/** The chunks that a piece has made certain; with the last one, the digest of the blob. */
export interface CutChunks {
  readonly chunks: readonly ChunkMeta[];
  readonly whole: B3Digest | undefined;
}

/** Options of {@link StoreWrites}. */
export interface StoreWritesOptions {
  /**
   * What the promises of its methods wait for once the writer has been given something.
   *
   * @param written - fulfils when it is durable
   * @param bytes - that are held until then, about
   */
  acknowledge(written: Promise<unknown>, bytes: number): Promise<unknown>;
  /** Up to so many bytes are digested and compressed in this thread, at once. */
  readonly bytesHere: number;
}

const DURABLE_WRITES: StoreWritesOptions = { acknowledge: (written) => written, bytesHere: -1 };

/** What an encoder has made of payloads. */
type WrittenPayloads = Pick<Encoded, "digests" | "known" | "records" | "release">;

/** The ways into a store. What is written later is durable no sooner. */
export class StoreWrites {
  readonly #core: StoreCore;
  readonly #options: StoreWritesOptions;

  constructor(core: StoreCore, options: StoreWritesOptions = DURABLE_WRITES) {
    this.#core = core;
    this.#options = options;
  }

  /**
   * Digests payloads, and stores those that are new. They must stay as they are until the promise
   * settles; those that lie in one block of shared memory are not copied.
   *
   * @param options - the signal ends the wait for another process that writes
   * @returns the digest of each
   */
  store(
    kind: RecordKind,
    payloads: readonly Uint8Array[],
    options: PutManyOptions = {},
  ): Promise<B3Digest[]> {
    return this.#core.untilDone(this.#store(kind, payloads, options));
  }

  async #store(
    kind: RecordKind,
    payloads: readonly Uint8Array[],
    { signal, areMissing = false }: PutManyOptions,
  ): Promise<B3Digest[]> {
    const bytes = payloads.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes <= this.#options.bytesHere) {
      const { writer } = await this.#core.forWriting(signal);
      return await this.#write(writer, this.#encodeHere({ kind, payloads, areMissing }, bytes));
    }
    const { release, ...batch } = inSharedMemory(payloads, this.#core.blocks);
    const { writer, encoders } = await this.#core.forWriting(signal);
    const encoded = await encoders.encode({ kind, areMissing, ...batch });
    release();
    return await this.#write(writer, encoded);
  }

  #encodeHere(payloads: Omit<EncodedPayloads, "output">, bytes: number): WrittenPayloads {
    const index = this.#core.index();
    if (index === undefined) throw new CastoreError("STORAGE", "Cannot write: the index is gone");
    const room = payloads.payloads.length * maxRecordLength(0) + bytes;
    const output = new Uint8Array(room);
    const encoder = new RecordEncoder({ index, zstd: this.#core.compressor });
    const { recordBytes, ...encoded } = encoder.encode({ ...payloads, output });
    // Of its own, to be handed over: what it keeps of a larger array would be copied.
    return { ...encoded, records: output.slice(0, recordBytes), release: () => {} };
  }

  /** Stores one record under a key that is not the digest of its payload. */
  storeKeyed(
    kind: RecordKind,
    key: Uint8Array,
    raw: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const records = encodeRecord(kind, key, raw, this.#core.compressor);
    const store = async (): Promise<void> => {
      const { writer } = await this.#core.forWriting(signal);
      const { byteLength } = records;
      await this.#options.acknowledge(this.#core.write(writer, { records }), byteLength);
    };
    return this.#core.untilDone(store());
  }

  /** Begins a blob that comes in pieces and is cut into chunks. */
  async cutBlob(signal?: AbortSignal): Promise<CutBlob> {
    const { writer, encoders } = await this.#core.forWriting(signal);
    const cutting = encoders.cut();
    const add = async (piece: Uint8Array, isLast: boolean): Promise<CutChunks> => {
      const encoded = await cutting.add(piece, isLast);
      this.#core.blocks.give(piece);
      const { lengths, whole } = encoded;
      const digests = await this.#write(writer, encoded);
      const chunks = digests.map((digest, i) => ({ digest, size: lengths[i] as number }));
      return { chunks, whole: whole && B3Digest.fromBytes(whole) };
    };
    return {
      add: (piece, isLast) => this.#core.untilDone(add(piece, isLast)),
      abandon: () => cutting.abandon(),
    };
  }

  /** @returns the digest of each payload or chunk */
  async #write(writer: Writer, encoded: WrittenPayloads): Promise<B3Digest[]> {
    const { records, digests, known, release } = encoded;
    const { counters } = this.#core;
    counters.known.records += known.records;
    counters.known.rawBytes += known.rawBytes;
    if (records.byteLength === 0) {
      release();
      // Another process may have written what is known.
      this.#core.seeWrites();
    } else {
      const written = this.#core
        .write(writer, { records })
        .then((outcome) => this.#core.count(outcome))
        .finally(release);
      await this.#options.acknowledge(written, records.byteLength);
    }
    return splitDigests(digests);
  }
}
