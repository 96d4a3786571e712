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
