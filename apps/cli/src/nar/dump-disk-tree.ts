import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { escapeBytes } from "@tvix/castore";
import { NarEncoder } from "@tvix/store";
import type { Host } from "../command.js";
import { CliError, EXIT, fileError } from "../exit.js";
import type { Output } from "../io/output.js";

/** Content is read in pieces of this size. */
const READ_BYTES = 256 * 1024;

const OWNER_EXECUTE = 0o100;
const SLASH = Buffer.from("/");

/** Where a NAR goes. */
export interface DumpHost extends Pick<Host, "signal"> {
  readonly stdout: Pick<Output, "bytes">;
}

/** A directory that is being written, and what of it is still to come. */
interface Frame {
  readonly path: Buffer;
  readonly names: readonly Buffer[];
  next: number;
}

/**
 * Writes the NAR of the file, directory or link at `path` to standard output. Links are not
 * followed, executable is what its owner may execute, names are bytes.
 *
 * Reading is synchronous, for most files are small and a call into the thread pool costs more than
 * they do; writing is not, so that the process stays responsive.
 *
 * @throws {@link CliError} for something that a NAR cannot hold, and for a file that changes
 */
export async function dumpDiskTree(path: Uint8Array, host: DumpHost): Promise<void> {
  const pieces: Uint8Array[] = [];
  const encoder = new NarEncoder((bytes) => pieces.push(bytes), { lasting: true });
  const drain = async (): Promise<void> => {
    host.signal.throwIfAborted();
    for (const piece of pieces.splice(0)) await host.stdout.bytes(piece);
  };
  const stack: Frame[] = [];
  await dumpObject(Buffer.from(path), encoder, stack, drain);
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const name = frame.names[frame.next++];
    if (name === undefined) {
      encoder.endDirectory();
      stack.pop();
    } else {
      encoder.entry(name);
      await dumpObject(Buffer.concat([frame.path, SLASH, name]), encoder, stack, drain);
    }
  }
  await drain();
}

async function dumpObject(
  path: Buffer,
  encoder: NarEncoder,
  stack: Frame[],
  drain: () => Promise<void>,
): Promise<void> {
  const stats = attempt(path, () => lstatSync(path));
  if (stats.isDirectory()) {
    encoder.beginDirectory();
    const names = attempt(path, () => readdirSync(path, { encoding: "buffer" }));
    stack.push({ path, names: names.sort(Buffer.compare), next: 0 });
  } else if (stats.isSymbolicLink()) {
    encoder.symlink(attempt(path, () => readlinkSync(path, { encoding: "buffer" })));
  } else if (stats.isFile()) {
    await dumpFile(path, encoder, drain);
  } else {
    throw new CliError(EXIT.failed, `cannot dump "${escapeBytes(path)}": it is ${special(stats)}`);
  }
}

async function dumpFile(
  path: Buffer,
  encoder: NarEncoder,
  drain: () => Promise<void>,
): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = attempt(path, () => openSync(path, flags));
  try {
    const { size, mode } = fstatSync(fd);
    encoder.beginFile(size, (mode & OWNER_EXECUTE) !== 0);
    for (let left = size; left > 0; ) {
      const buffer = new Uint8Array(Math.min(left, READ_BYTES));
      const length = attempt(path, () => readSync(fd, buffer));
      if (length === 0) throw changed(path);
      encoder.fileBytes(buffer.subarray(0, length));
      left -= length;
      await drain();
    }
    // One byte more shows that it has grown.
    if (readSync(fd, new Uint8Array(1)) > 0) throw changed(path);
    encoder.endFile();
  } finally {
    closeSync(fd);
  }
}

function changed(path: Buffer): CliError {
  return new CliError(
    EXIT.failed,
    `cannot dump "${escapeBytes(path)}": it changed while it was read`,
  );
}

function special(stats: Stats): string {
  if (stats.isFIFO()) return "a named pipe, and a NAR has only files, directories and links";
  if (stats.isSocket()) return "a socket, and a NAR has only files, directories and links";
  return "a device, and a NAR has only files, directories and links";
}

function attempt<T>(path: Buffer, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw fileError(`cannot dump "${escapeBytes(path)}"`, cause);
  }
}
