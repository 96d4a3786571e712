import { closeSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { FuseError } from "../errors.js";
import { type Koffi, requireKoffi } from "../native/koffi.js";
import { LINUX, libcOf } from "../native/libc.js";
import { MessageReceiver } from "../native/receive-message.js";
import { runTool } from "./run-tool.js";
import { FUSERMOUNT, missingFusermount } from "./unmount.js";

/** The descriptor that {@link runTool} gives to programs. */
const COMMUNICATION_FD = "3";

/**
 * Mounts as a user: the program fusermount3 is allowed to, and sends the open device back through a socket.
 *
 * @param options - as for its `-o`
 * @returns the device, non-blocking; it belongs to the caller
 * @throws {@link FuseError} as {@link mountDevice}
 */
export async function fusermount(path: string, options: readonly string[]): Promise<number> {
  const koffi = requireKoffi(`Cannot mount at ${path} without being root`);
  for (const program of FUSERMOUNT) {
    const fd = await tryProgram(koffi, program, path, options);
    if (fd !== undefined) return fd;
  }
  throw missingFusermount(`Cannot mount at ${path}`);
}

/** @returns `undefined` when there is no such program */
async function tryProgram(
  koffi: Koffi,
  program: string,
  path: string,
  options: readonly string[],
): Promise<number | undefined> {
  const [ours, theirs] = socketPair(koffi);
  try {
    const args = ["-o", options.join(","), "--", path];
    const ending = runTool(program, args, theirs, { _FUSE_COMMFD: COMMUNICATION_FD });
    // While it is open here, the end of theirs would not be noticed.
    closeSync(theirs);
    const receiver = new MessageReceiver(koffi, { maxBytes: 1, maxDescriptors: 1 });
    const { descriptors } = await receiver.receiveAsync(ours, 1);
    const result = await ending;
    const [fd] = descriptors;
    if (fd !== undefined) return nonBlocking(koffi, fd);
    if (result === undefined) return undefined;
    throw await explainRefusal(path, program, result.message);
  } finally {
    closeSync(ours);
  }
}

function socketPair(koffi: Koffi): readonly [number, number] {
  const libc = libcOf(koffi);
  const pair = new Int32Array(new ArrayBuffer(8));
  if (libc.socketpair(LINUX.AF_UNIX, LINUX.SOCK_STREAM | LINUX.SOCK_CLOEXEC, 0, pair) !== 0) {
    throw new FuseError("SYSTEM", `Cannot make a pair of sockets: errno ${libc.errno()}`);
  }
  const [ours = -1, theirs = -1] = pair;
  return [ours, theirs];
}

function nonBlocking(koffi: Koffi, fd: number): number {
  const libc = libcOf(koffi);
  const flags = libc.fcntl(fd, LINUX.F_GETFL, 0);
  if (libc.fcntl(fd, LINUX.F_SETFL, flags | LINUX.O_NONBLOCK) === 0) return fd;
  throw new FuseError("SYSTEM", `Cannot make the FUSE device non-blocking: errno ${libc.errno()}`);
}

async function explainRefusal(path: string, program: string, message: string): Promise<FuseError> {
  const usable = await access("/dev/fuse", constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  const hint = usable
    ? ""
    : ", and /dev/fuse is missing or not accessible to this user: load the module fuse, or have root allow it (chmod 666 /dev/fuse)";
  const isDenied = !usable || /not permitted|denied|only allowed/i.test(message);
  return new FuseError(
    isDenied ? "PERMISSION_DENIED" : "SYSTEM",
    `Cannot mount at ${path}: ${program}: ${message}${hint}`,
  );
}
