import {
  type Blake3Hash,
  type BlobPlace,
  type BlobService,
  type CallOptions,
  CastoreError,
  createBlake3,
  type FileNode,
  fileNode,
} from "@tvix/castore";
import { BlockMemory } from "./block-memory.js";
import { isWantedToEnd, streamFile } from "./file-content.js";
import { fillAlone } from "./fill-alone.js";
import { mapAhead } from "./map-ahead.js";
import { NarEncoder, type NarEncoderPosition } from "./nar-encoder.js";
import { NarRenderError } from "./nar-render-error.js";
import { type FileStep, type NarStep, type NarStepSource, pathOf } from "./nar-steps.js";

/** Files up to this size are read in one piece, ahead of their turn. */
const WHOLE_FILE_BYTES = 1024 * 1024;

/**
 * Length of a block: of a service that fills many places at once, and of others, where it is how much
 * of the tree is looked at before the first files are asked for.
 */
const BLOCK_BYTES = { together: 2 * 1024 * 1024, oneByOne: 32 * 1024 } as const;

/** Memory for what was read ahead. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024;

/** How many blocks may be under way: enough to hide a round trip. */
const READ_AHEAD_BLOCKS = 8;

/** What a file takes that nothing else is known of, about: most are small. */
const TYPICAL_FILE_BYTES = 4096;

/** Some of the bytes of a NAR. */
export interface NarBlock {
  readonly bytes: Uint8Array;
  /** Whether the bytes stay as they are for good. */
  readonly isLasting: boolean;
  /** To be called when nobody looks at the bytes any more, whose memory is used again then. */
  release(): void;
}

/** Where in a NAR rendering begins; at its beginning by default. */
export interface NarBlocksOptions extends CallOptions {
  /** With `content`, the first step is the file that it says, and is rendered from there. */
  readonly resumeAt?: NarEncoderPosition | undefined;
  /** What will be read in all, in bytes, about. */
  readonly expectedBytes?: number | undefined;
}

/** Content that a block has room for. */
export interface PlacedContent {
  readonly file: FileStep;
  readonly place: BlobPlace;
}

/** A part of a large file, whose digest is computed along the way. */
interface HashedPart {
  readonly hash: Blake3Hash;
  readonly bytes: Uint8Array;
  /** Of the file that ends here. */
  readonly ends: FileNode | undefined;
}

/** A block that has room for content. */
interface OpenBlock {
  readonly bytes: Uint8Array;
  readonly contents: readonly PlacedContent[];
  readonly hashed: readonly HashedPart[];
}

/**
 * Renders the steps of a walk, up to the end of the NAR, or up to the end of the part that is wanted
 * of the last file. Framing is written around places for content; several blocks at a time are filled,
 * by the service itself where it can.
 *
 * @throws {@link NarRenderError} when part of the tree is missing or has another size than stated
 */
export async function* narBlocks(
  blobs: BlobService,
  walk: NarStepSource,
  options: NarBlocksOptions,
): AsyncGenerator<NarBlock, void, undefined> {
  const isTogether = blobs.fillMany !== undefined;
  const memory = new BlockMemory({
    isShared: isTogether,
    blockBytes: isTogether ? BLOCK_BYTES.together : BLOCK_BYTES.oneByOne,
  });
  const composer = new BlockComposer(blobs, walk, memory, options);
  try {
    const work = (block: OpenBlock) => fill(blobs, block, composer.expectedBytes, options);
    const filled = mapAhead(composer.blocks(), work, {
      maxItems: READ_AHEAD_BLOCKS,
      maxWeight: READ_AHEAD_BYTES,
      weigh: ({ bytes }) => bytes.byteLength,
    });
    for await (const { bytes, hashed } of filled) {
      for (const part of hashed) composer.check(part);
      yield {
        bytes,
        isLasting: !isTogether,
        release: () => memory.give(new Uint8Array(bytes.buffer)),
      };
    }
  } finally {
    composer.dispose();
  }
}

async function fill(
  blobs: BlobService,
  block: OpenBlock,
  expectedBytes: number,
  options: CallOptions,
): Promise<OpenBlock> {
  const { bytes, contents } = block;
  if (contents.length === 0) return block;
  const { buffer } = bytes;
  let missed: readonly PlacedContent[] = contents;
  if (blobs.fillMany !== undefined && buffer instanceof SharedArrayBuffer) {
    const places = contents.map(({ place }) => place);
    const numbers = await blobs.fillMany(places, buffer, { ...options, expectedBytes });
    missed = numbers.map((i) => contents[i] as PlacedContent);
  }
  await fillAlone(blobs, missed, buffer, options);
  return block;
}

/** What of a tree is known about its size: each entry counts, or the bytes of a file. */
export function expectedBytesOf(node: { readonly type: string; readonly size?: bigint }): number {
  const size = Number(node.size ?? 0);
  return node.type === "directory" ? size * TYPICAL_FILE_BYTES : size;
}

/** Goes through a tree and writes framing into blocks. */
class BlockComposer {
  readonly #blobs: BlobService;
  readonly #walk: NarStepSource;
  readonly #options: NarBlocksOptions;
  readonly #encoder: NarEncoder;
  /** What will be read in all, in bytes, about, as far as it has been seen. */
  expectedBytes: number;
  readonly #ready: OpenBlock[] = [];
  /** Those of large files that have not been read to their end. */
  readonly #hashes = new Set<Blake3Hash>();
  /** Of the block that is being written. */
  #contents: PlacedContent[] = [];
  #hashed: HashedPart[] = [];

  constructor(
    blobs: BlobService,
    walk: NarStepSource,
    memory: BlockMemory,
    options: NarBlocksOptions,
  ) {
    this.#blobs = blobs;
    this.#walk = walk;
    this.#options = options;
    this.expectedBytes = options.expectedBytes ?? 0;
    const { resumeAt } = options;
    this.#encoder = new NarEncoder((bytes) => this.#end(bytes), {
      memory: (minBytes) => memory.take(minBytes),
      // What is used again must not lie in two blocks.
      copies: blobs.fillMany !== undefined,
      ...(resumeAt === undefined ? {} : { resumeAt }),
    });
  }

  async *blocks(): AsyncGenerator<OpenBlock, void, undefined> {
    let isBegun = this.#options.resumeAt?.content !== undefined;
    const { signal } = this.#options;
    let failure: { readonly error: unknown } | undefined;
    while (!this.#walk.atEnd) {
      let step: NarStep;
      try {
        step = this.#walk.next() ?? (await this.#walk.open());
      } catch (error) {
        failure = { error };
        break;
      }
      if (!isBegun) begin(this.#encoder, step);
      isBegun = false;
      if (step.type === "file") {
        if (isSmall(step)) this.#place(step, step.node.digest, Number(step.node.size));
        else yield* this.#largeFile(step);
        if (isWantedToEnd(step)) this.#encoder.endFile();
      }
      if (this.#ready.length > 0) {
        signal?.throwIfAborted();
        yield* this.#take();
      }
    }
    if (!this.#encoder.complete) this.#encoder.flush();
    yield* this.#take();
    // What the walk throws comes after the steps before it.
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Takes the next part of a large file, which has been read.
   *
   * @throws `CastoreError` "CORRUPT" at the end of one that its chunks do not make up
   */
  check({ hash, bytes, ends }: HashedPart): void {
    hash.update(bytes);
    if (ends === undefined) return;
    this.#hashes.delete(hash);
    if (hash.digest().equals(ends.digest)) return;
    const message = `Cannot read blob ${ends.digest}: its chunks do not make it up`;
    throw new CastoreError("CORRUPT", message);
  }

  dispose(): void {
    for (const hash of this.#hashes) hash.dispose();
  }

  #take(): OpenBlock[] {
    return this.#ready.splice(0);
  }

  #end(bytes: Uint8Array): void {
    this.#ready.push({ bytes, contents: this.#contents, hashed: this.#hashed });
    this.#contents = [];
    this.#hashed = [];
  }

  #place(file: FileStep, digest: FileNode["digest"], length: number): Uint8Array {
    const bytes = this.#encoder.contentPlace(length);
    const place = { digest, offset: bytes.byteOffset, length };
    this.#contents.push({ file, place });
    return bytes;
  }

  async *#largeFile(step: FileStep): AsyncGenerator<OpenBlock, void, undefined> {
    const { digest, size } = step.node;
    const chunks =
      this.#blobs.fillMany === undefined || step.range !== undefined
        ? undefined
        : await this.#blobs.chunks(digest, this.#options);
    const length = chunks?.reduce((sum, chunk) => sum + chunk.size, 0) ?? 0;
    if (chunks === undefined || BigInt(length) !== size) {
      yield* this.#stream(step);
      return;
    }
    this.expectedBytes = Math.max(this.expectedBytes, length);
    const hash = createBlake3();
    this.#hashes.add(hash);
    for (const [i, chunk] of chunks.entries()) {
      const node = fileNode(chunk.digest, BigInt(chunk.size));
      const bytes = this.#place({ ...step, node }, chunk.digest, chunk.size);
      const ends = i + 1 === chunks.length ? step.node : undefined;
      this.#hashed.push({ hash, bytes, ends });
      if (this.#ready.length > 0) yield* this.#take();
    }
  }

  async *#stream(step: FileStep): AsyncGenerator<OpenBlock, void, undefined> {
    const { digest, size } = step.node;
    const expectedSize = Number(size);
    const reader = await this.#blobs.openRead(digest, { ...this.#options, expectedSize });
    if (reader === undefined) throw new NarRenderError("missing-blob", digest, pathOf(step.place));
    for await (const bytes of streamFile(reader, step, this.#options)) {
      this.#options.signal?.throwIfAborted();
      this.#encoder.fileBytes(bytes);
      if (this.#ready.length > 0) yield* this.#take();
    }
  }
}

function begin(encoder: NarEncoder, step: NarStep): void {
  if (step.type === "end") {
    encoder.endDirectory();
    return;
  }
  if (step.place !== undefined) encoder.entry(step.place.name.toBytes());
  if (step.type === "directory") encoder.beginDirectory();
  else if (step.type === "symlink") encoder.symlink(step.node.target.toBytes());
  else encoder.beginFile(Number(step.node.size), step.node.executable);
}

function isSmall({ node, range }: FileStep): boolean {
  return range === undefined && node.size <= WHOLE_FILE_BYTES;
}
