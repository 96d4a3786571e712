import { ERRNO } from "../errno.js";
import { OPCODE } from "../protocol/opcodes.js";
import { LSEEK, OPEN, OPENDIR, READ, RELEASE, RELEASEDIR } from "./file-operations.js";
import { READDIR, READDIRPLUS } from "./listing-operations.js";
import { ACCESS, GETATTR, LOOKUP, READLINK, STATFS } from "./node-operations.js";
import { type RequestStep, refuse, step } from "./operation.js";
import { GETXATTR, LISTXATTR } from "./xattr-operations.js";

const CHANGES_SOMETHING = refuse(ERRNO.EROFS);

/** The kernel remembers this answer, does without, and does not ask again. */
const NOT_OFFERED = refuse(ERRNO.ENOSYS);

/**
 * What is done with each request, except for those that belong to the session itself: INIT, DESTROY,
 * INTERRUPT, FORGET, BATCH_FORGET, NOTIFY_REPLY.
 */
const STEPS: readonly (readonly [opcode: number, step: RequestStep])[] = [
  [OPCODE.LOOKUP, step(LOOKUP)],
  [OPCODE.GETATTR, step(GETATTR)],
  [OPCODE.READLINK, step(READLINK)],
  [OPCODE.STATFS, step(STATFS)],
  [OPCODE.ACCESS, step(ACCESS)],
  [OPCODE.OPEN, step(OPEN)],
  [OPCODE.READ, step(READ)],
  [OPCODE.LSEEK, step(LSEEK)],
  [OPCODE.RELEASE, step(RELEASE)],
  [OPCODE.OPENDIR, step(OPENDIR)],
  [OPCODE.READDIR, step(READDIR)],
  [OPCODE.READDIRPLUS, step(READDIRPLUS)],
  [OPCODE.RELEASEDIR, step(RELEASEDIR)],
  [OPCODE.GETXATTR, step(GETXATTR)],
  [OPCODE.LISTXATTR, step(LISTXATTR)],

  [OPCODE.SETATTR, CHANGES_SOMETHING],
  [OPCODE.SYMLINK, CHANGES_SOMETHING],
  [OPCODE.MKNOD, CHANGES_SOMETHING],
  [OPCODE.MKDIR, CHANGES_SOMETHING],
  [OPCODE.UNLINK, CHANGES_SOMETHING],
  [OPCODE.RMDIR, CHANGES_SOMETHING],
  [OPCODE.RENAME, CHANGES_SOMETHING],
  [OPCODE.RENAME2, CHANGES_SOMETHING],
  [OPCODE.LINK, CHANGES_SOMETHING],
  [OPCODE.WRITE, CHANGES_SOMETHING],
  [OPCODE.SETXATTR, CHANGES_SOMETHING],
  [OPCODE.REMOVEXATTR, CHANGES_SOMETHING],
  [OPCODE.CREATE, CHANGES_SOMETHING],
  [OPCODE.TMPFILE, CHANGES_SOMETHING],
  [OPCODE.FALLOCATE, CHANGES_SOMETHING],
  [OPCODE.COPY_FILE_RANGE, CHANGES_SOMETHING],
  [OPCODE.COPY_FILE_RANGE_64, CHANGES_SOMETHING],

  [OPCODE.FLUSH, NOT_OFFERED],
  [OPCODE.FSYNC, NOT_OFFERED],
  [OPCODE.FSYNCDIR, NOT_OFFERED],
  [OPCODE.SYNCFS, NOT_OFFERED],
  [OPCODE.GETLK, NOT_OFFERED],
  [OPCODE.SETLK, NOT_OFFERED],
  [OPCODE.SETLKW, NOT_OFFERED],
  [OPCODE.BMAP, NOT_OFFERED],
  [OPCODE.POLL, NOT_OFFERED],
  [OPCODE.SETUPMAPPING, NOT_OFFERED],
  [OPCODE.REMOVEMAPPING, NOT_OFFERED],
  [OPCODE.STATX, NOT_OFFERED],
  [OPCODE.IOCTL, refuse(ERRNO.ENOTTY)],
];

const STEP_OF: readonly RequestStep[] = tableOf(STEPS);

/** What is done with requests of this kind; those that are not known are answered with ENOSYS. */
export function requestStep(opcode: number): RequestStep {
  return STEP_OF[opcode] ?? NOT_OFFERED;
}

function tableOf(steps: typeof STEPS): readonly RequestStep[] {
  const size = Math.max(...Object.values(OPCODE)) + 1;
  const table = new Array<RequestStep>(size).fill(NOT_OFFERED);
  for (const [opcode, step] of steps) table[opcode] = step;
  return table;
}
