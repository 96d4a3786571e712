import { abortable } from "@tvix/castore";
import type { NarEvent } from "./nar-event.js";
import { NarFormatError } from "./nar-format-error.js";
import { type NarLimits, NarParser } from "./nar-parser.js";

export interface ReadNarOptions {
  /** Ends the reading: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly limits?: NarLimits;
}

/**
 * Reads a NAR: yields what it says, in its order, as {@link NarEvent}s. Strict in every byte; data
 * after the end of the archive is an error. The last event is yielded only once the source has ended
 * without any.
 *
 * Content is not copied: the source must leave its arrays alone until the consumer is done with the
 * events made from them. The source is closed on every path. Memory is bounded whatever comes.
 *
 * @throws {@link NarFormatError}; what the source throws passes through as it is
 */
export async function* readNar(
  source: AsyncIterable<Uint8Array>,
  options: ReadNarOptions = {},
): AsyncGenerator<NarEvent, void, undefined> {
  const parser = new NarParser(options.limits);
  let last: NarEvent | undefined;
  for await (const chunk of abortable(source, options.signal)) {
    parser.push(chunk);
    for (let event = parser.next(); event !== undefined; event = parser.next()) {
      if (parser.complete) last = event;
      else yield event;
    }
  }
  parser.end();
  if (last !== undefined) yield last;
}

/**
 * Passes bytes on up to a limit: what decompression gives can be any amount, whatever came in.
 *
 * @throws {@link NarFormatError} with reason "nar-too-large" instead of the bytes that are too many
 */
export async function* limitNarSize(
  source: AsyncIterable<Uint8Array>,
  maxNarSize: bigint,
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.byteLength;
    if (size > maxNarSize) {
      throw new NarFormatError(
        "nar-too-large",
        Number(maxNarSize),
        `it has more than ${maxNarSize} bytes`,
      );
    }
    yield chunk;
  }
}
