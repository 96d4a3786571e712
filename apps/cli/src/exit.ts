/** What the exit status of `tvix` tells a script. */
export const EXIT = {
  ok: 0,
  /** The command failed. */
  failed: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** What the command line names does not exist. */
  notFound: 3,
  /** Stored bytes are damaged or missing. */
  corrupt: 4,
} as const;

/** Exit status after the signal with this number, as shells report it: 130 after Ctrl-C. */
export function exitAfterSignal(signalNumber: number): number {
  return 128 + signalNumber;
}

/** A failure whose message is complete for the person at the terminal. */
export class CliError extends Error {
  override readonly name: string = "CliError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The command line breaks a rule. The message says which, and what is right. */
export class UsageError extends CliError {
  override readonly name: string = "UsageError";

  constructor(message: string, options?: ErrorOptions) {
    super(EXIT.usage, message, options);
  }
}

/** Something that was named does not exist. */
export class NotFoundError extends CliError {
  override readonly name: string = "NotFoundError";

  constructor(message: string, options?: ErrorOptions) {
    super(EXIT.notFound, message, options);
  }
}

/** The codes of the system for a path that leads nowhere. */
const ABSENT: readonly unknown[] = ["ENOENT", "ENOTDIR"];

/**
 * The error for a file that the command line names and that cannot be used.
 *
 * @param what - cannot be done with it
 * @param cause - what the system says
 */
export function fileError(what: string, cause: unknown): CliError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return ABSENT.includes(code)
    ? new NotFoundError(`${what}: no such file or directory`, { cause })
    : new CliError(EXIT.failed, what, { cause });
}
