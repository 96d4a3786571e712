import type { BlobService, CallOptions, DirectoryService, FileNode, Node } from "@tvix/castore";
import type { NarCalculation } from "../nar-calculation.js";
import { createSha256 } from "../sha256/sha256.js";
import { mapAhead } from "./map-ahead.js";
import { NarEncoder } from "./nar-encoder.js";
import { NarRenderError } from "./nar-render-error.js";
import { type NarStep, narSteps, type Place, pathOf } from "./nar-steps.js";

/** Where the content of trees is. */
export interface CastoreServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** Files up to this size are read ahead of their turn, whole; larger ones are streamed. */
const READ_AHEAD_FILE_BYTES = 1024 * 1024;
/** Memory for what was read ahead. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024;
/** How many steps of the walk may be under way, most of them files: enough to hide a round trip. */
const READ_AHEAD_STEPS = 64;

/** A step with what its turn needs. */
interface ReadyStep {
  readonly step: NarStep;
  /** The content of a file, in pieces that together have the right length, or fail in the end. */
  readonly content: AsyncIterable<Uint8Array> | readonly Uint8Array[];
}

const NO_CONTENT: readonly Uint8Array[] = [];

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
  const ended = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
  const pieces: Uint8Array[] = [];
  const encoder = new NarEncoder((bytes) => pieces.push(bytes), { lasting: true });
  try {
    const steps = narSteps(services.directories, root, { signal });
    for await (const { step, content } of readAhead(services.blobs, steps, { signal })) {
      begin(encoder, step);
      for await (const bytes of content) {
        signal.throwIfAborted();
        encoder.fileBytes(bytes);
        if (pieces.length > 0) yield* pieces.splice(0);
      }
      if (step.type === "file") encoder.endFile();
      if (pieces.length > 0) yield* pieces.splice(0);
    }
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

function readAhead(
  blobs: BlobService,
  steps: AsyncIterable<NarStep>,
  options: CallOptions,
): AsyncIterable<ReadyStep> {
  const isSmall = (node: FileNode) => node.size <= READ_AHEAD_FILE_BYTES;
  return mapAhead(
    steps,
    async (step) => {
      if (step.type !== "file") return { step, content: NO_CONTENT };
      const content = streamFile(blobs, step.node, step.place, options);
      return { step, content: isSmall(step.node) ? await collect(content) : content };
    },
    {
      maxItems: READ_AHEAD_STEPS,
      maxWeight: READ_AHEAD_BYTES,
      weigh: (step) => (step.type === "file" && isSmall(step.node) ? Number(step.node.size) : 0),
    },
  );
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  return pieces;
}

/** Yields the content of a file: never more bytes than its node states, and not fewer in the end. */
async function* streamFile(
  blobs: BlobService,
  node: FileNode,
  place: Place | undefined,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const mismatch = (length: number, qualifier = "") =>
    new NarRenderError(
      "size-mismatch",
      node.digest,
      pathOf(place),
      `has ${qualifier}${length} bytes, not ${node.size}`,
    );
  const reader = await blobs.openRead(node.digest, options);
  if (reader === undefined) throw new NarRenderError("missing-blob", node.digest, pathOf(place));
  if (BigInt(reader.size) !== node.size) throw mismatch(reader.size);
  let length = 0;
  for await (const bytes of reader.stream({}, options)) {
    length += bytes.byteLength;
    if (length > reader.size) throw mismatch(length, "at least ");
    yield bytes;
  }
  if (length < reader.size) throw mismatch(length);
}
