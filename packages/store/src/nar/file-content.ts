import type { BlobReader, CallOptions } from "@tvix/castore";
import { NarRenderError } from "./nar-render-error.js";
import { type FileStep, pathOf } from "./nar-steps.js";

/** Whether the content of a file is wanted up to its end. */
export function isWantedToEnd({ node, range }: FileStep): boolean {
  return range === undefined || range.end === Number(node.size);
}

/**
 * Yields what is wanted of the content of a file: never more bytes than its node states, and not
 * fewer in the end.
 *
 * @throws {@link NarRenderError} with reason "size-mismatch"
 */
export async function* streamFile(
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
