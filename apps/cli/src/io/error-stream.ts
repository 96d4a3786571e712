import { writeSync } from "node:fs";
import { isatty, WriteStream } from "node:tty";
import type { TextStream } from "./diagnostics.js";

/**
 * Standard error. `process.stderr` will not do unless it is a terminal: Node makes a pipe behind it
 * non-blocking, and standard output with it where both are the same (`2>&1`), which then takes no
 * more than it has room for at the moment.
 */
export function openErrorStream(): TextStream {
  return isatty(2) ? new WriteStream(2) : { write: (text) => writeText(2, text) };
}

/** Losing a message must not end an import: there is nowhere else to send it. */
function writeText(fd: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let offset = 0; offset < bytes.byteLength; ) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      // Somebody has made it non-blocking, and it is full: its reader has to make room.
      if (code !== "EAGAIN") return;
      Atomics.wait(PAUSE, 0, 0, 1);
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4));
