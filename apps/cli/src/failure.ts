import { CliError, EXIT, exitAfterSignal, UsageError } from "./exit.js";
import { InterruptedError } from "./interrupt.js";

/** How a failure ends the program. */
export interface Failure {
  readonly exitCode: number;
  /** One line, without the name of the program. */
  readonly message: string;
}

/**
 * Exit status for the `code` of an error from our packages, or of the system. What is not listed
 * is a plain failure.
 */
const STATUS_OF_CODE: ReadonlyMap<unknown, number> = new Map([
  ["CORRUPT", EXIT.corrupt],
  ["MISSING_REFERENCE", EXIT.corrupt],
  ["ENOENT", EXIT.notFound],
  ["ENOTDIR", EXIT.notFound],
  ["NOT_MOUNTED", EXIT.notFound],
]);

/** Exit status and message for anything that was thrown. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof InterruptedError) {
    return { exitCode: exitAfterSignal(error.signalNumber), message: oneLine(error.message) };
  }
  return { exitCode: exitCodeOf(error), message: oneLine(messageOf(error)) };
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return STATUS_OF_CODE.get(code) ?? EXIT.failed;
}

/** The message, and those of the causes that say more. That of a {@link UsageError} says all. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let message = error.message === "" ? error.name : error.message;
  if (error instanceof UsageError) return message;
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    // Failed calls have their status in front.
    const text = cause.message.replace(/^\[[a-z_]+\] /, "");
    // What a server says is escaped where it is quoted.
    const said = message.replaceAll("\\x22", '"');
    if (!said.includes(essenceOf(text))) message += `: ${text}`;
  }
  return message;
}

/** `no such file or directory` of `ENOENT: no such file or directory, open 'x'`; other texts as they are. */
function essenceOf(text: string): string {
  return /^E[A-Z0-9]+: (.+), [a-z]+\b/.exec(text)?.[1] ?? text;
}

/** Line breaks are gone, and the first word is as in the middle of a sentence. */
function oneLine(message: string): string {
  return lowerFirst(message.replace(/\s*[\r\n]+\s*/g, " "));
}

/** `Cannot read` as `cannot read`; `NAR` and `BLAKE3` stay. */
export function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
