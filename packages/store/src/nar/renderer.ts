import {
  type BlobReader,
  type BlobService,
  type CallOptions,
  concatBytes,
  type DirectoryService,
  type FileNode,
  type Node,
  openBlobs,
} from "@tvix/castore";
import type { NarCalculation } from "../nar-calculation.js";
import { createSha256 } from "../sha256/sha256.js";
import { mapAhead } from "./map-ahead.js";
import { NarEncoder, type NarEncoderPosition } from "./nar-encoder.js";
import { NarRenderError } from "./nar-render-error.js";
import {
  type FileStep,
  type NarStep,
  type NarStepSource,
  NarWalk,
  narStepBatches,
  pathOf,
} from "./nar-steps.js";

/** Where the content of trees is. */
export interface CastoreServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** Files up to this size are read ahead of their turn, whole; larger ones are streamed. */
const READ_AHEAD_FILE_BYTES = 1024 * 1024;
/** Files of a batch, which are asked for at once: of a service that has a call for many, and of others. */
const BATCH_FILES = { together: 256, oneByOne: 8 } as const;
/** What the files of a batch may add up to. */
const BATCH_BYTES = 1024 * 1024;
/** Memory for what was read ahead. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024;
/** How many batches may be under way: enough to hide a round trip. */
const READ_AHEAD_BATCHES = 8;

/** The content of a file: all of it in pieces, or a reader. */
type Content = readonly Uint8Array[] | BlobReader;

/** Steps, and for each file among them, in order, its content. */
interface ReadyBatch {
  readonly steps: readonly NarStep[];
  readonly contents: readonly (Content | undefined)[];
}

/**
 * Renders the tree `root` as a NAR. One-shot; pieces belong to the consumer. Memory stays bounded
 * whatever the tree: some 10 MiB and the Directories on the way down.
 *
 * @throws {@link NarRenderError} when part of the tree is missing or has another size than stated;
 *   what was yielded until then is the beginning of a NAR that cannot be completed
 */
export async function* renderNar(
  services: CastoreServices,
  root: Node,
  options: CallOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* renderSteps(
    services.blobs,
    (callOptions) => new NarWalk(services.directories, root, callOptions),
    options,
  );
}

/** Where in a NAR rendering begins; at its beginning by default. */
export interface RenderStepsOptions extends CallOptions {
  /** With `content`, the first step is the file that it says, and is rendered from there. */
  readonly resumeAt?: NarEncoderPosition | undefined;
}

/**
 * Renders the steps of a walk, up to the end of the NAR, or up to the end of the part that is wanted
 * of the last file. Reads ahead.
 *
 * @throws {@link NarRenderError} like {@link renderNar}
 */
export async function* renderSteps(
  blobs: BlobService,
  walk: (options: CallOptions) => NarStepSource,
  options: RenderStepsOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const ended = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
  const pieces: Uint8Array[] = [];
  const { resumeAt } = options;
  const encoder = new NarEncoder((bytes) => pieces.push(bytes), {
    lasting: true,
    ...(resumeAt === undefined ? {} : { resumeAt }),
  });
  let isBegun = resumeAt?.content !== undefined;
  try {
    for await (const { steps, contents } of readAhead(blobs, walk({ signal }), { signal })) {
      signal.throwIfAborted();
      let files = 0;
      for (const step of steps) {
        if (!isBegun) begin(encoder, step);
        isBegun = false;
        if (step.type === "file") {
          const content = contents[files++];
          if (isReader(content)) {
            for await (const bytes of streamFile(content, step, { signal })) {
              signal.throwIfAborted();
              encoder.fileBytes(bytes);
              for (const piece of pieces.splice(0)) yield piece;
            }
          } else {
            for (const bytes of wholeFile(content, step)) encoder.fileBytes(bytes);
          }
          if (isWantedToEnd(step)) encoder.endFile();
        }
        if (pieces.length > 0) for (const piece of pieces.splice(0)) yield piece;
      }
    }
    if (!encoder.complete) encoder.flush();
    yield* pieces;
  } finally {
    // Reads that are ahead of the place where the consumer stopped are of no use any more.
    ended.abort();
  }
}

/**
 * Size and SHA-256 of the NAR of `root`.
 *
 * @throws {@link NarRenderError} like {@link renderNar}
 */
export async function calculateNar(
  services: CastoreServices,
  root: Node,
  options: CallOptions = {},
): Promise<NarCalculation> {
  const sha256 = createSha256();
  let narSize = 0n;
  for await (const bytes of renderNar(services, root, options)) {
    sha256.update(bytes);
    narSize += BigInt(bytes.byteLength);
  }
  return { narSize, narSha256: sha256.digest() };
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

function isWantedToEnd({ node, range }: FileStep): boolean {
  return range === undefined || range.end === Number(node.size);
}

function readAhead(
  blobs: BlobService,
  walk: NarStepSource,
  options: CallOptions,
): AsyncIterable<ReadyBatch> {
  const limits = {
    files: blobs.openMany === undefined ? BATCH_FILES.oneByOne : BATCH_FILES.together,
    bytes: BATCH_BYTES,
    isSmall,
  };
  return mapAhead(narStepBatches(walk, limits), ({ steps }) => readBatch(blobs, steps, options), {
    maxItems: READ_AHEAD_BATCHES,
    maxWeight: READ_AHEAD_BYTES,
    weigh: (batch) => batch.bytes,
  });
}

function isSmall(node: FileNode): boolean {
  return node.size <= READ_AHEAD_FILE_BYTES;
}

async function readBatch(
  blobs: BlobService,
  steps: readonly NarStep[],
  options: CallOptions,
): Promise<ReadyBatch> {
  const files = steps.filter((step) => step.type === "file");
  const opened = await openBlobs(
    blobs,
    files.map(({ node }) => node.digest),
    { ...options, inlineBytes: READ_AHEAD_FILE_BYTES },
  );
  const contents = opened.map((blob, i) => {
    if (blob instanceof Uint8Array) return [blob];
    const { type, node, place } = files[i] as FileStep;
    if (blob === undefined || !isSmall(node)) return blob;
    return collect(streamFile(blob, { type, node, place }, options));
  });
  const isAllThere = !contents.some((content) => content instanceof Promise);
  return { steps, contents: isAllThere ? (contents as Content[]) : await Promise.all(contents) };
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  return pieces;
}

function isReader(content: Content | undefined): content is BlobReader {
  return content !== undefined && "stream" in content;
}

/**
 * What is wanted of a file that was read ahead, the pieces of which are as long together as its node
 * states.
 */
function wholeFile(
  content: readonly Uint8Array[] | undefined,
  file: FileStep,
): readonly Uint8Array[] {
  if (content === undefined) {
    throw new NarRenderError("missing-blob", file.node.digest, pathOf(file.place));
  }
  const length = content.reduce((sum, piece) => sum + piece.byteLength, 0);
  if (BigInt(length) !== file.node.size) throw mismatch(file, length);
  if (file.range === undefined) return content;
  return [concatBytes(content).subarray(file.range.start, file.range.end)];
}

/**
 * Yields what is wanted of the content of a file: never more bytes than its node states, and not
 * fewer in the end.
 */
async function* streamFile(
  reader: BlobReader,
  file: FileStep,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (BigInt(reader.size) !== file.node.size) throw mismatch(file, reader.size);
  const { start, end } = file.range ?? { start: 0, end: reader.size };
  const isPart = end - start < reader.size;
  const range = isPart ? { offset: start, length: end - start } : {};
  let at = start;
  for await (const bytes of reader.stream(range, options)) {
    at += bytes.byteLength;
    if (at > end) throw mismatch(file, at, "at least ");
    yield bytes;
  }
  if (at < end) throw mismatch(file, at);
}

function mismatch({ node, place }: FileStep, length: number, qualifier = ""): NarRenderError {
  const detail = `has ${qualifier}${length} bytes, not ${node.size}`;
  return new NarRenderError("size-mismatch", node.digest, pathOf(place), detail);
}
