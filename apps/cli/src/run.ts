import { withOwnNames } from "./args/aliases.js";
import { findCommand } from "./args/find-command.js";
import { checkCount, parseWords } from "./args/parse.js";
import type { Host } from "./command.js";
import { CliError, EXIT, UsageError } from "./exit.js";
import { describeFailure } from "./failure.js";
import { GLOBAL_OPTIONS } from "./global-options.js";
import { commandHelp, programHelp } from "./help.js";
import { BrokenPipeError } from "./io/output.js";
import { COMMANDS, type TableEntry } from "./table.js";
import { version } from "./version.js";

/**
 * Runs one command line and reports its failure.
 *
 * @param words - the command line without the program; may throw a {@link UsageError}
 * @returns the exit status
 */
export async function run(words: () => readonly string[], host: Host): Promise<number> {
  try {
    const status = await dispatch(words(), host);
    await host.stdout.flush();
    return status;
  } catch (error) {
    // Whatever else fails after Ctrl-C fails because of it.
    const interrupted = host.signal.aborted && !(error instanceof CliError);
    return await report(interrupted ? host.signal.reason : error, host);
  }
}

async function dispatch(words: readonly string[], host: Host): Promise<number> {
  const names = COMMANDS.map(({ name }) => name);
  const found = findCommand(helpFirst(withOwnNames(words)), names, GLOBAL_OPTIONS);
  const entry = COMMANDS.find(({ name }) => name === found.name);
  return entry === undefined
    ? await runProgram(found.rest, host)
    : await runCommand(entry, found.rest, host);
}

/** `tvix help import` is `tvix import --help`. */
function helpFirst(words: readonly string[]): readonly string[] {
  return words[0] === "help" ? [...words.slice(1), "--help"] : words;
}

async function runProgram(words: readonly string[], host: Host): Promise<number> {
  const { options } = parseWords(words, GLOBAL_OPTIONS);
  if (options.has("version")) {
    await host.stdout.line(`tvix ${version()}`);
    return EXIT.ok;
  }
  if (options.has("help")) {
    await host.stdout.line(programHelp(COMMANDS));
    return EXIT.ok;
  }
  throw new UsageError("no command: see tvix --help");
}

async function runCommand(
  entry: TableEntry,
  words: readonly string[],
  host: Host,
): Promise<number> {
  const command = await entry.load();
  const parsed = parseWords(words, { ...GLOBAL_OPTIONS, ...command.options });
  if (parsed.options.has("version")) return await runProgram(["--version"], host);
  if (parsed.options.has("help")) {
    await host.stdout.line(commandHelp(entry, command));
    return EXIT.ok;
  }
  checkCount(entry.name, parsed.arguments, command.arguments);
  return await command.run({ ...parsed, purpose: purposeOf(entry, words) }, host);
}

/** The longest command line that is told to others. */
const MAX_PURPOSE_LENGTH = 120;

function purposeOf(entry: TableEntry, words: readonly string[]): string {
  const line = ["tvix", entry.name, ...words].join(" ");
  return line.length <= MAX_PURPOSE_LENGTH ? line : `${line.slice(0, MAX_PURPOSE_LENGTH)}...`;
}

async function report(error: unknown, host: Host): Promise<number> {
  if (error instanceof BrokenPipeError) return EXIT.ok;
  // What was found before the failure is worth having.
  await host.stdout.flush().catch(() => {});
  const { exitCode, message } = describeFailure(error);
  host.stderr.status("");
  host.stderr.line(`tvix: ${message}`);
  if (host.env["TVIX_DEBUG"] === "1" && error instanceof Error) host.stderr.line(stackOf(error));
  return exitCode;
}

function stackOf(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\nCaused by: ${stackOf(error.cause)}` : own;
}
