import { isPageOf, isTopOf, type TreeParents } from "../bao/outboard.js";
import {
  decodeLength,
  encodeLength,
  GROUP_LOG,
  HEADER_BYTES,
  TreeShape,
} from "../bao/tree-shape.js";
import type { BlobService, CallOptions } from "../blobservice/blob-service.js";
import { concatBytes, toLatin1 } from "../bytes.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { LastUsed } from "../last-used.js";
import type { NoteQueue } from "./cache-notes.js";
import type { GuardedStore } from "./guarded-store.js";

/** How much of trees is kept in memory: the pages of 2 GiB of content. */
const MAX_MEMORY_BYTES: number = 8 * 1024 * 1024;

/** What an open tree takes besides its top, in bytes, about. */
const OPEN_TREE_BYTES = 500;

/** What the keys of notes end with, behind the digest. */
const TOP_MARK = 1;
const PAGE_MARK = 2;

/** The tree of a blob of far, without its pages. */
type TreeTop = Pick<TreeParents, "length" | "groupLog" | "top">;

/**
 * The trees of blobs that are far. What has been read of them, and is what the digest says, is noted, so that parts
 * of blobs that are near can be proved when far is gone.
 */
export class FarTrees {
  readonly #far: GuardedStore<BlobService>;
  readonly #notes: NoteQueue | undefined;
  readonly #onError: (error: unknown) => void;
  /** Notes by their keys. */
  readonly #known = new LastUsed<string, Uint8Array>(
    MAX_MEMORY_BYTES,
    ({ byteLength }) => byteLength,
  );
  /** Of far, for their pages. */
  readonly #opened = new LastUsed<string, TreeParents>(
    MAX_MEMORY_BYTES,
    ({ top }) => OPEN_TREE_BYTES + top.byteLength,
  );

  constructor(
    far: GuardedStore<BlobService>,
    notes: NoteQueue | undefined,
    onError: (error: unknown) => void,
  ) {
    this.#far = far;
    this.#notes = notes;
    this.#onError = onError;
  }

  /** `undefined` when far does not have the blob. */
  async of(digest: B3Digest, options: CallOptions): Promise<TreeParents | undefined> {
    const top = (await this.#knownTop(digest)) ?? (await this.#fetchTop(digest, options));
    if (top === undefined) return undefined;
    return { ...top, page: (index, signal) => this.#page(digest, top, index, signal) };
  }

  async #knownTop(digest: B3Digest): Promise<TreeTop | undefined> {
    const known = await this.#find(keyOf(digest, TOP_MARK));
    if (known === undefined || known.byteLength < HEADER_BYTES) return undefined;
    const length = decodeLength(known);
    const top = known.subarray(HEADER_BYTES);
    const isRight = length !== undefined && isTopOf(top, new TreeShape(length, GROUP_LOG), digest);
    return isRight ? { length, groupLog: GROUP_LOG, top } : undefined;
  }

  async #fetchTop(digest: B3Digest, options: CallOptions): Promise<TreeTop | undefined> {
    const open = (service: BlobService, call: CallOptions) => this.#openTree(service, digest, call);
    const tree = await this.#far.run(open, options);
    if (tree === undefined) return undefined;
    const { length, groupLog, top } = tree;
    if (groupLog !== GROUP_LOG || !isTopOf(top, new TreeShape(length, GROUP_LOG), digest)) {
      throw wrongTree(digest);
    }
    this.#keep(keyOf(digest, TOP_MARK), concatBytes([encodeLength(length), top]));
    return { length, groupLog, top };
  }

  async #page(
    digest: B3Digest,
    top: TreeTop,
    index: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const key = keyOf(digest, PAGE_MARK, index);
    const known = await this.#find(key);
    if (known !== undefined && isPageOf(known, top, digest, index)) return known;
    const page = await this.#far.run(
      async (service, call) => {
        const tree = await this.#openTree(service, digest, call);
        return tree?.page(index, call.signal);
      },
      signal === undefined ? {} : { signal },
    );
    if (page === undefined || !isPageOf(page, top, digest, index)) throw wrongTree(digest);
    this.#keep(key, page);
    return page;
  }

  async #openTree(
    service: BlobService,
    digest: B3Digest,
    call: CallOptions,
  ): Promise<TreeParents | undefined> {
    const open = this.#opened.get(digest.key);
    if (open !== undefined) return open;
    if (service.tree === undefined) {
      const message = `Cannot prove blob ${digest}: ${this.#far.name} cannot`;
      throw new CastoreError("UNSUPPORTED", message);
    }
    const tree = await service.tree(digest, call);
    if (tree !== undefined) this.#opened.add(digest.key, tree);
    return tree;
  }

  async #find(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return this.#known.get(toLatin1(key)) ?? (await this.#notes?.get(key));
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
  }

  #keep(key: Uint8Array, value: Uint8Array): void {
    this.#known.add(toLatin1(key), value);
    this.#notes?.put(key, value);
  }
}

function keyOf(digest: B3Digest, mark: number, page = 0): Uint8Array {
  const tail = new Uint8Array(5);
  tail[0] = mark;
  new DataView(tail.buffer).setUint32(1, page, true);
  return concatBytes([digest.toBytes(), tail]);
}

function wrongTree(digest: B3Digest): CastoreError {
  return new CastoreError("CORRUPT", `Cannot prove blob ${digest}: the tree that came is wrong`);
}
