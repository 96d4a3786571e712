/** The part of `process.stderr` that is used. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Width of a terminal that does not tell its own, or says 0. */
const DEFAULT_COLUMNS = 80;

/**
 * Standard error: notes, errors and, on a terminal, one line at the bottom that is drawn again and
 * again.
 */
export class Diagnostics {
  /** Whether a line can be redrawn. */
  readonly isTerminal: boolean;
  readonly #stream: TextStream;
  #status = "";

  /** @param dumb - the terminal cannot redraw a line (`TERM=dumb`) */
  constructor(stream: TextStream, dumb = false) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true && !dumb;
  }

  /** Writes a message, above the status line where there is one. */
  line(text: string): void {
    const status = this.#status;
    this.status("");
    this.#stream.write(`${text}\n`);
    this.status(status);
  }

  /** Replaces the status line; "" removes it. Does nothing unless this is a terminal. */
  status(text: string): void {
    if (!this.isTerminal || text === this.#status) return;
    // The last column stays free: some terminals wrap as soon as it is written.
    const fitting = text.slice(0, (this.#stream.columns || DEFAULT_COLUMNS) - 1);
    this.#stream.write(`\r\x1b[K${fitting}`);
    this.#status = text;
  }
}
