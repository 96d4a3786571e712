import { Code, type Transport } from "@connectrpc/connect";
import { RangeService } from "@tvix/protos/range";
import { SliceDecoder } from "../bao/slice-decoder.js";
import type { SliceRange } from "../bao/tree-shape.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { callServerStreamOnce, isStatus, retrying } from "./call.js";
import { CONTENT_PACE, nonEmpty } from "./remote-reading.js";

/**
 * Calls of `tvix.castore.range.v1`. Once a server has said that it does not have this service, no call is made
 * any more.
 */
export class RangeClient {
  readonly #transport: Transport;
  #isSupported: boolean | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Whether the server has the service; `undefined` as long as nobody has asked it. */
  get isSupported(): boolean | undefined {
    return this.#isSupported;
  }

  /**
   * A part of a blob, compared with the digest. Read again as a whole when the connection breaks meanwhile.
   *
   * @param blob - `size` is what it is said to be; the part is refused when that is wrong
   * @param part - is held in memory
   * @returns `undefined` when the server does not have the service
   */
  async read(
    blob: { readonly digest: B3Digest; readonly size: number },
    part: SliceRange,
    options: CallOptions,
  ): Promise<Uint8Array[] | undefined> {
    return this.#attempt(blob.digest, options, () =>
      retrying(async () => {
        const decoder = new SliceDecoder(blob.digest, part, { inputLength: blob.size });
        const content: Uint8Array[] = [];
        for await (const data of this.#messages(blob.digest, part, options)) {
          content.push(...decoder.push(data));
        }
        decoder.finish();
        return content;
      }, options),
    );
  }

  /**
   * The slice itself. It is checked on its way through, so that it ends where it has to.
   *
   * @returns `undefined` when the blob is not stored
   * @throws {@link CastoreError} "UNSUPPORTED" when the server does not have the service
   */
  async slice(
    digest: B3Digest,
    range: SliceRange,
    options: CallOptions,
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const slice = this.#checked(digest, range, options);
    // The length comes first, always: with it, it is known whether the blob is there.
    const first = await this.#attempt(digest, options, () =>
      slice.next().catch((error: unknown): typeof NOT_STORED => {
        if (isStatus(error, Code.NotFound)) return NOT_STORED;
        throw error;
      }),
    );
    if (first === undefined) {
      throw new CastoreError("UNSUPPORTED", `Cannot prove blob ${digest}: the server cannot`);
    }
    if (first === NOT_STORED) return undefined;
    return goOn(first, slice, digest, options);
  }

  async *#checked(
    digest: B3Digest,
    range: SliceRange,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const decoder = new SliceDecoder(digest, range);
    for await (const data of this.#messages(digest, range, options)) {
      decoder.push(data);
      yield data;
    }
    decoder.finish();
  }

  #messages(
    digest: B3Digest,
    { offset, length }: SliceRange,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const input = { digest: digest.toBytes(), offset: BigInt(offset), length: BigInt(length) };
    const { readSlice } = RangeService.method;
    const call = { ...options, pace: CONTENT_PACE };
    return nonEmpty(callServerStreamOnce(this.#transport, readSlice, input, call), digest);
  }

  /** @returns `undefined` when the server does not have the service */
  async #attempt<T>(
    digest: B3Digest,
    { signal }: CallOptions,
    call: () => Promise<T>,
  ): Promise<T | undefined> {
    signal?.throwIfAborted();
    if (this.#isSupported === false) return undefined;
    try {
      const result = await call();
      this.#isSupported = true;
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      if (isStatus(error, Code.Unimplemented)) {
        this.#isSupported = false;
        return undefined;
      }
      throw connectToCastoreError(error, `Cannot read blob ${digest}`);
    }
  }
}

/** What stands for the start of the slice of a blob that is not stored. */
const NOT_STORED = "not stored";

/** The rest of a stream of which the first step is taken. */
async function* goOn(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
  digest: B3Digest,
  { signal }: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (first.done !== true) yield first.value;
    yield* rest;
  } catch (error) {
    signal?.throwIfAborted();
    throw connectToCastoreError(error, `Cannot read blob ${digest}`);
  } finally {
    await rest.return();
  }
}
