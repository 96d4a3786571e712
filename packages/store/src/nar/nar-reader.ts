import { abortable } from "@tvix/castore";
import type { NarEvent } from "./nar-event.js";
import type { NarLimits } from "./nar-limits.js";
import { NarParser } from "./nar-parser.js";

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
 * @throws `NarFormatError`; what the source throws passes through as it is
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
