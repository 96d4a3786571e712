import type {
  BlobReader,
  BlobService,
  ByteRange,
  CallOptions,
} from "../blobservice/blob-service.js";
import { resolveRange } from "../blobservice/byte-range.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { AskStore } from "./ask-stores.js";
import type { GuardedStore } from "./guarded-store.js";
import { failureOfStores, type StoreFailure } from "./store-failures.js";

/** A blob that a store has opened. */
export interface GuardedBlob {
  readonly store: GuardedStore<BlobService>;
  readonly reader: BlobReader;
}

/**
 * Opens a blob in one store, which fails when the blob is to have another length than expected: what names it may be
 * wrong, and so may the store; another one may be right.
 */
export function openGuarded(
  digest: B3Digest,
  expectedSize: number | undefined,
): AskStore<BlobService, GuardedBlob> {
  return async (service, options, store) => {
    const size = expectedSize === undefined ? {} : { expectedSize };
    const reader = await service.openRead(digest, { ...options, ...size });
    if (reader === undefined) return undefined;
    if (expectedSize !== undefined && reader.size !== expectedSize) {
      throw new CastoreError(
        "CORRUPT",
        `It has ${reader.size} bytes there instead of ${expectedSize}`,
      );
    }
    return { store, reader };
  };
}

/**
 * A blob that several stores may have. It is read from the one that has opened it, and as long as that
 * has given out nothing, from the next one that has it. After the first byte a failure is final.
 */
export class FailoverReader implements BlobReader {
  readonly size: number;
  readonly #digest: B3Digest;
  readonly #opened: GuardedBlob;
  readonly #others: readonly GuardedStore<BlobService>[];

  /** @param others - where the blob is looked for next, in that order */
  constructor(digest: B3Digest, opened: GuardedBlob, others: readonly GuardedStore<BlobService>[]) {
    this.size = opened.reader.size;
    this.#digest = digest;
    this.#opened = opened;
    this.#others = others;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { start, end } = resolveRange(this.size, range);
    const wanted = { offset: start, length: end - start };
    const failures: StoreFailure[] = [];
    const others = [...this.#others];
    for (let blob: GuardedBlob | undefined = this.#opened; blob !== undefined; ) {
      let hasBegun = false;
      try {
        for await (const bytes of guardedStream(this.#digest, blob, wanted, options)) {
          hasBegun = true;
          yield bytes;
        }
        return;
      } catch (error) {
        if (hasBegun) throw error;
        options.signal?.throwIfAborted();
        failures.push({ store: blob.store.name, error });
      }
      blob = await this.#openNext(others, failures, options);
    }
    throw failureOfStores(this.#action, failures);
  }

  get #action(): string {
    return `Cannot read blob ${this.#digest}`;
  }

  /** @param others - stores that are tried are taken out */
  async #openNext(
    others: GuardedStore<BlobService>[],
    failures: StoreFailure[],
    options: CallOptions,
  ): Promise<GuardedBlob | undefined> {
    for (let store = others.shift(); store !== undefined; store = others.shift()) {
      try {
        const opening = store;
        const blob = await store.run(
          (service, call) => openGuarded(this.#digest, this.size)(service, call, opening),
          options,
        );
        if (blob !== undefined) return blob;
      } catch (error) {
        options.signal?.throwIfAborted();
        failures.push({ store: store.name, error });
      }
    }
    return undefined;
  }
}

/**
 * A part of a blob: what the store streams, if it is as long as it should be.
 *
 * @param range - within the blob
 * @throws {@link CastoreError} "CORRUPT" before more bytes than that, or at the end of fewer
 */
async function* guardedStream(
  digest: B3Digest,
  { store, reader }: GuardedBlob,
  range: { readonly offset: number; readonly length: number },
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const open = (_: BlobService, call: CallOptions): AsyncIterable<Uint8Array> =>
    reader.stream(range, call);
  const bytesOf = (bytes: Uint8Array): number => bytes.byteLength;
  let length = 0;
  for await (const bytes of store.stream(open, { ...options, bytesOf })) {
    length += bytes.byteLength;
    if (length > range.length) break;
    if (bytes.byteLength > 0) yield bytes;
  }
  if (length === range.length) return;
  const state = length > range.length ? "more" : `${length}`;
  throw new CastoreError(
    "CORRUPT",
    `Cannot read blob ${digest}: ${store.name} gives ${state} bytes instead of ${range.length}`,
  );
}
