import { abortable } from "./abortable.js";

/**
 * The chunks that a `put` is given, see {@link abortable} for how it ends. Empty chunks are left out.
 *
 * @throws {@link TypeError} when the source yields anything but bytes, as a stream with a text
 *   encoding does: stored unseen, that would be a blob with other content
 */
export async function* readSource(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of abortable<unknown>(source, signal)) {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(`Cannot store a source that yields ${typeof chunk}: expected Uint8Array`);
    }
    if (chunk.byteLength > 0) yield chunk;
  }
}
