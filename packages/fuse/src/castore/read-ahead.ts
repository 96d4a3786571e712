/** Readers of one file that are told apart. */
const MAX_STREAMS = 8;

/** A kernel sends several reads at a time, which may arrive in another order: by so many reads one may be off. */
const SLACK_READS = 4;

/** How much is fetched ahead when reading turns out to be sequential; doubled with each read. */
const FIRST_WINDOW = 512 * 1024;

/** Somebody who reads a file from front to back. */
interface Stream {
  /** Where the next read is expected. */
  next: number;
  /** How far ahead of that is fetched. */
  window: number;
  /** Up to where it has been asked for. */
  ahead: number;
}

/** A part of a file, in bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Recognises sequential reading of one file, by several readers at a time, and says what to fetch ahead. */
export class ReadAhead {
  readonly #size: number;
  readonly #maxWindow: number;
  /** The one that read last is at the end. */
  readonly #streams: Stream[] = [];

  constructor(size: number, maxWindow: number) {
    this.#size = size;
    this.#maxWindow = maxWindow;
  }

  /** Takes note of a read. @returns what to fetch ahead now, if anything */
  note(start: number, end: number): Span | undefined {
    const stream = this.#take(start, end);
    if (stream === undefined) {
      this.#streams.push({ next: end, window: 0, ahead: end });
      if (this.#streams.length > MAX_STREAMS) this.#streams.shift();
      return undefined;
    }
    this.#streams.push(stream);
    stream.next = Math.max(stream.next, end);
    stream.window = Math.min(Math.max(FIRST_WINDOW, stream.window * 2), this.#maxWindow);
    // In large steps: what is fetched together is fetched faster.
    if (stream.ahead - stream.next > stream.window / 2) return undefined;
    const from = Math.max(stream.ahead, stream.next);
    stream.ahead = Math.min(this.#size, stream.next + stream.window);
    return from < stream.ahead ? { start: from, end: stream.ahead } : undefined;
  }

  /** Takes out the stream that a read belongs to. */
  #take(start: number, end: number): Stream | undefined {
    let nearest = -1;
    let distance = SLACK_READS * (end - start);
    for (const [i, { next }] of this.#streams.entries()) {
      const off = Math.abs(start - next);
      if (off < distance) {
        nearest = i;
        distance = off;
      }
    }
    return nearest === -1 ? undefined : this.#streams.splice(nearest, 1)[0];
  }
}
