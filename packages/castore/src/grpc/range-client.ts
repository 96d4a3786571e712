import { Code, type Transport } from "@connectrpc/connect";
import { RangeService, type ReadTreeResponse } from "@tvix/protos/range";
import { isPageOf, isTopOf, pageBytes, type TreeParents } from "../bao/outboard.js";
import { SliceDecoder } from "../bao/slice-decoder.js";
import { GROUP_LOG, type SliceRange, TreeShape } from "../bao/tree-shape.js";
import type { CallOptions } from "../blobservice/blob-service.js";
import { plainBytes } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { connectToCastoreError } from "../rpc/error-mapping.js";
import { callServerStreamOnce, callUnary } from "./call.js";
import { CONTENT_PACE, nonEmpty } from "./remote-reading.js";
import { isStatus, retrying } from "./retry.js";

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
   * The tree of a blob; its nodes are compared with the digest as they come.
   *
   * @returns `undefined` when the blob is not stored
   * @throws {@link CastoreError} "UNSUPPORTED" when the server does not have the service
   */
  async tree(digest: B3Digest, options: CallOptions): Promise<TreeParents | undefined> {
    const answer = await this.#readTree(digest, undefined, options);
    if (answer === undefined) return undefined;
    const { length, parents: top } = answer;
    const isLength = length <= Number.MAX_SAFE_INTEGER;
    const shape = isLength ? new TreeShape(Number(length), GROUP_LOG) : undefined;
    if (shape === undefined || !isTopOf(top, shape, digest)) throw wrongTree(digest);
    const tree = { length: shape.length, groupLog: GROUP_LOG, top: plainBytes(top) };
    return {
      ...tree,
      page: async (index, signal) => {
        if (pageBytes(shape, index) === 0) return NO_PARENTS;
        const page = await this.#readTree(digest, index, signal === undefined ? {} : { signal });
        if (page === undefined || !isPageOf(page.parents, tree, digest, index)) {
          throw wrongTree(digest);
        }
        return plainBytes(page.parents);
      },
    };
  }

  /** @returns `undefined` when the blob is not stored */
  async #readTree(
    digest: B3Digest,
    page: number | undefined,
    options: CallOptions,
  ): Promise<ReadTreeResponse | undefined> {
    const input = { digest: digest.toBytes(), pagePlusOne: page === undefined ? 0 : page + 1 };
    const answer = await this.#attempt(digest, options, async () => {
      try {
        const { readTree } = RangeService.method;
        return (await callUnary(this.#transport, readTree, input, options)).message;
      } catch (error) {
        if (isStatus(error, Code.NotFound)) return NOT_STORED;
        throw error;
      }
    });
    if (answer === undefined) {
      throw new CastoreError("UNSUPPORTED", `Cannot prove blob ${digest}: the server cannot`);
    }
    return answer === NOT_STORED ? undefined : answer;
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

/** What stands for the tree of a blob that is not stored. */
const NOT_STORED = "not stored";

const NO_PARENTS = new Uint8Array(0);

function wrongTree(digest: B3Digest): CastoreError {
  return new CastoreError("CORRUPT", `Cannot prove blob ${digest}: the tree that came is wrong`);
}
