import type { BlobService, CallOptions } from "@tvix/castore";
import { streamFile } from "./file-content.js";
import type { PlacedContent } from "./nar-blocks.js";
import { NarRenderError } from "./nar-render-error.js";
import { pathOf } from "./nar-steps.js";

/** How many blobs are read at a time. */
const LANES = 8;

/**
 * Reads blobs one by one, some at a time, to their places.
 *
 * @throws {@link NarRenderError} when one is missing or has another size than stated
 */
export async function fillAlone(
  blobs: BlobService,
  contents: readonly PlacedContent[],
  memory: ArrayBufferLike,
  options: CallOptions,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let content = contents[next++]; content !== undefined; content = contents[next++]) {
      await fillOne(blobs, content, memory, options);
    }
  };
  const lanes = Math.min(LANES, contents.length);
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function fillOne(
  blobs: BlobService,
  { file, place }: PlacedContent,
  memory: ArrayBufferLike,
  options: CallOptions,
): Promise<void> {
  const { digest } = place;
  const reader = await blobs.openRead(digest, { ...options, expectedSize: Number(file.node.size) });
  if (reader === undefined) throw new NarRenderError("missing-blob", digest, pathOf(file.place));
  const target = new Uint8Array(memory, place.offset, place.length);
  let at = 0;
  for await (const bytes of streamFile(reader, file, options)) {
    target.set(bytes, at);
    at += bytes.byteLength;
  }
}
