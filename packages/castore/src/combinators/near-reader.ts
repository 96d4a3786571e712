import type { BlobReader, ByteRange, CallOptions } from "../blobservice/blob-service.js";
import { resolveRange } from "../blobservice/byte-range.js";

/** A blob that near has. When near fails before the first byte, it is read from far. */
export class NearReader implements BlobReader {
  readonly size: number;
  readonly #reader: BlobReader;
  readonly #openFar: (options: CallOptions) => Promise<BlobReader | undefined>;

  constructor(
    reader: BlobReader,
    openFar: (options: CallOptions) => Promise<BlobReader | undefined>,
  ) {
    this.size = reader.size;
    this.#reader = reader;
    this.#openFar = openFar;
  }

  async *stream(
    range?: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    resolveRange(this.size, range);
    let hasBegun = false;
    try {
      for await (const bytes of this.#reader.stream(range, options)) {
        hasBegun = true;
        yield bytes;
      }
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      const far = hasBegun ? undefined : await this.#openFar(options).catch(() => undefined);
      if (far?.size !== this.size) throw error;
      yield* far.stream(range, options);
    }
  }
}
