/** A listening socket that was opened by whoever started this process. */
export interface PassedSocket {
  readonly fd: number;
  /** As its unit calls it (`FileDescriptorName=`); "unknown" where nobody says. */
  readonly name: string;
}

/** The first of the passed descriptors, see sd_listen_fds(3). */
const FIRST_FD = 3;

/** More than anybody passes; a larger number is a mistake. */
const MAX_SOCKETS = 64;

/**
 * The sockets that were passed by `LISTEN_FDS` (sd_listen_fds(3)), and the environment without those
 * variables, so that programs we start do not take them for theirs.
 *
 * @param pid - of this process: sockets for another one are not ours
 * @throws Error when the variables are for us and make no sense
 */
export function passedSockets(env: NodeJS.ProcessEnv, pid: number): readonly PassedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  if (LISTEN_FDS === undefined || LISTEN_PID !== String(pid)) return [];
  delete env["LISTEN_PID"];
  delete env["LISTEN_FDS"];
  delete env["LISTEN_FDNAMES"];
  const count = /^\d{1,4}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : Number.NaN;
  if (!(count <= MAX_SOCKETS)) {
    throw new Error(`Cannot take the passed sockets: LISTEN_FDS is ${JSON.stringify(LISTEN_FDS)}`);
  }
  const names = LISTEN_FDNAMES?.split(":") ?? [];
  return Array.from({ length: count }, (_, index) => ({
    fd: FIRST_FD + index,
    name: names[index] ?? "unknown",
  }));
}
