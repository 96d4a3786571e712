/** Takes bytes in order; a write ends when they are out. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
  /** {@link write} of one part after the other, where that can be had in one call. */
  writeMany?(parts: readonly Uint8Array[]): Promise<void>;
}

/** Whoever read our output has stopped reading. Not a failure: there is nobody left to tell. */
export class BrokenPipeError extends Error {
  override readonly name: string = "BrokenPipeError";
}

/** Bytes that are collected before they are written: one write for many lines. */
const BUFFER_BYTES = 64 * 1024;

/**
 * Standard output: what a command was asked for.
 *
 * Calls must be awaited one after another; {@link flush} ends the last of them.
 */
export class Output {
  /** Whether a person is looking. */
  readonly isTerminal: boolean;
  readonly #sink: ByteSink;
  readonly #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES);
  #used = 0;

  constructor(sink: ByteSink, isTerminal = false) {
    this.#sink = sink;
    this.isTerminal = isTerminal;
  }

  /** Writes one line of text. @throws {@link BrokenPipeError} */
  async line(text: string): Promise<void> {
    await this.bytes(new TextEncoder().encode(`${text}\n`));
  }

  /** Writes one JSON value on a line of its own; a bigint becomes a number. */
  async json(value: unknown): Promise<void> {
    await this.line(toJson(value));
  }

  /** Writes bytes as they are; they may be reused afterwards. @throws {@link BrokenPipeError} */
  async bytes(bytes: Uint8Array): Promise<void> {
    if (this.#used + bytes.byteLength > BUFFER_BYTES) await this.flush();
    if (bytes.byteLength > BUFFER_BYTES) {
      await this.#sink.write(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.byteLength;
  }

  /** Writes many arrays, without a copy: they must stay as they are. @throws {@link BrokenPipeError} */
  async pieces(parts: readonly Uint8Array[]): Promise<void> {
    await this.flush();
    if (this.#sink.writeMany !== undefined) await this.#sink.writeMany(parts);
    else for (const part of parts) await this.#sink.write(part);
  }

  /** Writes what is still buffered. @throws {@link BrokenPipeError} */
  async flush(): Promise<void> {
    const pending = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    if (pending.byteLength > 0) await this.#sink.write(pending);
  }
}

/** JSON text of `value`, in which sizes that are bigint are numbers. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, part: unknown) => (typeof part === "bigint" ? Number(part) : part),
    indent,
  );
}
