import {
  isPageOf,
  isTopOf,
  PAGE_GROUPS,
  pageBytes,
  pageCount,
  type TreeParents,
  topBytes,
} from "../bao/outboard.js";
import { pageOf, TreeBuilder, type TreePage } from "../bao/tree-builder.js";
import { GROUP_LOG, TreeShape } from "../bao/tree-shape.js";
import type { BlobReader, CallOptions } from "../blobservice/blob-service.js";
import { concatBytes } from "../bytes.js";
import { type B3Digest, DIGEST_LENGTH } from "../digest.js";
import { CastoreError } from "../errors.js";
import { LastUsed } from "../last-used.js";
import { orAbort } from "../or-abort.js";
import { Semaphore } from "../semaphore.js";
import { IndexDerivedCache } from "./keyed-records.js";
import type { DerivedCache, KeyedRecord } from "./record-store.js";
import type { StoreCore } from "./store-core.js";
import { Turns } from "./turns.js";

/** Space of the derived values: tops of trees by digest, pages by digest and number. */
const SPACE = "blake3-tree-16k";

/** How much of trees is kept in memory: the pages of 2 GiB of content. */
const MAX_MEMORY_BYTES: number = 8 * 1024 * 1024;

/** Pages that are written together: those of 256 MiB of content. */
const PAGES_PER_WRITE = 64;

/**
 * The BLAKE3 trees of the blobs of a store, derived from their content on first demand. That of a blob of more
 * than one page takes reading all of it once; the outcome is kept in the index of a process that writes. What was
 * kept is compared with the digest when it is read, and made again where it is wrong.
 */
export class BlobTrees {
  readonly #core: StoreCore;
  readonly #kept: DerivedCache;
  readonly #memory: LastUsed<string, Uint8Array> = new LastUsed(
    MAX_MEMORY_BYTES,
    ({ byteLength }) => byteLength,
  );
  /** Trees that are being made, by digest. */
  readonly #builds = new Map<string, Promise<Uint8Array>>();
  readonly #turn = new Semaphore(1);

  constructor(core: StoreCore) {
    this.#core = core;
    this.#kept = new IndexDerivedCache(core, SPACE);
  }

  /**
   * The tree of a blob.
   *
   * @throws {@link CastoreError} "CORRUPT" when its content is not what its digest says
   */
  async of(digest: B3Digest, reader: BlobReader, options: CallOptions): Promise<TreeParents> {
    const blob = { digest, reader, shape: new TreeShape(reader.size, GROUP_LOG) };
    const top = await this.#top(blob, options);
    return {
      length: reader.size,
      groupLog: GROUP_LOG,
      top,
      page: (index, signal) => this.#page(blob, top, index, signal === undefined ? {} : { signal }),
    };
  }

  async #top(blob: SizedBlob, { signal }: CallOptions): Promise<Uint8Array> {
    const pages = pageCount(blob.shape);
    if (pages === 1) return new Uint8Array(0);
    const isRight = (top: Uint8Array): boolean => isTopOf(top, blob.shape, blob.digest);
    return (
      (await this.#known(keyOf(blob.digest), topBytes(blob.shape), isRight)) ??
      (await orAbort(this.#buildOnce(blob), signal))
    );
  }

  async #page(
    blob: SizedBlob,
    top: Uint8Array,
    index: number,
    options: CallOptions,
  ): Promise<Uint8Array> {
    const { digest, shape } = blob;
    const byteLength = pageBytes(shape, index);
    const tree = { length: shape.length, groupLog: GROUP_LOG, top };
    const isRight = (page: Uint8Array): boolean => isPageOf(page, tree, digest, index);
    const key = keyOf(digest, index);
    const known = await this.#known(key, byteLength, isRight);
    if (known !== undefined) return known;
    const page = pageOf(shape, index, await contentOfPage(blob, index, options));
    if (!isRight(page)) throw notItsContent(digest);
    this.#memory.add(key.name, page);
    if (pageCount(shape) > 1) await this.#keep([{ key: key.bytes, value: page }]);
    return page;
  }

  /** What was made before; `undefined` when that is not there any more, or wrong. */
  async #known(
    key: TreeKey,
    byteLength: number,
    isRight: (parents: Uint8Array) => boolean,
  ): Promise<Uint8Array | undefined> {
    const inMemory = this.#memory.get(key.name);
    if (inMemory !== undefined) return inMemory;
    const kept = byteLength === 0 ? NO_PARENTS : await this.#kept.get(key.bytes);
    if (kept?.byteLength !== byteLength || !isRight(kept)) return undefined;
    this.#memory.add(key.name, kept);
    return kept;
  }

  /**
   * Makes the tree of a blob, one at a time. Goes on when nobody waits any more: that of a very long blob takes longer
   * than clients are patient, and they come again.
   */
  #buildOnce(blob: SizedBlob): Promise<Uint8Array> {
    const { key } = blob.digest;
    const known = this.#builds.get(key);
    if (known !== undefined) return known;
    const build = this.#turn.run(() => this.#build(blob));
    this.#builds.set(key, build);
    const forget = (): void => void this.#builds.delete(key);
    build.then(forget, forget);
    return build;
  }

  /** Reads all of a blob and makes its tree. Gives the top of it. */
  async #build({ digest, reader }: SizedBlob): Promise<Uint8Array> {
    const made = this.#memory.get(digest.key);
    if (made !== undefined) return made;
    const builder = new TreeBuilder(GROUP_LOG);
    const turns = new Turns();
    let pages: TreePage[] = [];
    for await (const piece of reader.stream()) {
      pages.push(...builder.push(piece));
      await turns.next();
      if (pages.length < PAGES_PER_WRITE) continue;
      await this.#keepPages(digest, pages);
      pages = [];
    }
    const { pages: last, tree } = builder.finish();
    if (!tree.digest.equals(digest)) throw notItsContent(digest);
    await this.#keepPages(digest, [...pages, ...last, tree.page]);
    await this.#keep([{ key: digest.toBytes(), value: tree.top }]);
    this.#memory.add(keyOf(digest).name, tree.top);
    return tree.top;
  }

  #keepPages(digest: B3Digest, pages: readonly TreePage[]): Promise<void> {
    const entries = pages.map(({ index, parents }) => {
      const key = keyOf(digest, index);
      this.#memory.add(key.name, parents);
      return { key: key.bytes, value: parents };
    });
    return this.#keep(entries);
  }

  /** Only where this process is the one that writes: nobody waits for another one to keep what can be made again. */
  async #keep(entries: readonly KeyedRecord[]): Promise<void> {
    if (this.#core.generation !== undefined) await this.#kept.putMany(entries);
  }
}

/** A blob that is stored. */
interface SizedBlob {
  readonly digest: B3Digest;
  readonly reader: BlobReader;
  readonly shape: TreeShape;
}

/** Under which a part of a tree is kept, and found in memory. */
interface TreeKey {
  readonly bytes: Uint8Array;
  readonly name: string;
}

const NO_PARENTS = new Uint8Array(0);

/** @param page - the top without */
function keyOf(digest: B3Digest, page?: number): TreeKey {
  if (page === undefined) return { bytes: digest.toBytes(), name: digest.key };
  const bytes = new Uint8Array(DIGEST_LENGTH + 4);
  bytes.set(digest.toBytes());
  new DataView(bytes.buffer).setUint32(DIGEST_LENGTH, page, true);
  return { bytes, name: `${digest.key}${page}` };
}

async function contentOfPage(
  { reader, shape }: SizedBlob,
  index: number,
  options: CallOptions,
): Promise<Uint8Array> {
  const length = PAGE_GROUPS * shape.groupBytes;
  const parts: Uint8Array[] = [];
  for await (const part of reader.stream({ offset: index * length, length }, options)) {
    parts.push(part);
  }
  return concatBytes(parts);
}

function notItsContent(digest: B3Digest): CastoreError {
  return new CastoreError("CORRUPT", `Cannot prove blob ${digest}: it has other content`);
}
