import type { Options } from "./args/options.js";
import type { Diagnostics } from "./io/diagnostics.js";
import type { Output } from "./io/output.js";

/** One option of the program or of a command. */
export interface OptionSpec {
  /** One letter, without the dash. */
  readonly short?: string;
  /** Placeholder of the value, as in `--name NAME`; an option without one is a switch. */
  readonly value?: string;
  /** What the value names, or all that it may be, for completion; nothing to complete by default. */
  readonly completes?: "file" | "directory" | readonly string[];
  /** Given several times, its values add up, with commas between them; else the last one counts. */
  readonly repeats?: boolean;
  /** One sentence without a final period. */
  readonly summary: string;
}

/** Options by their long names, without the dashes. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The arguments of a command that are not options. */
export interface ArgumentSpec {
  /** As the usage line shows them: `PATH...`, `TARGET [PATH]`. */
  readonly usage: string;
  readonly min: number;
  /** `Infinity` where any number will do. */
  readonly max: number;
  /** What they name, for completion. */
  readonly completes?: "file" | readonly string[];
}

/** A command line to learn from. */
interface Example {
  readonly line: string;
  readonly meaning: string;
}

/** A command of `tvix`: what its help says and what it does. */
export interface Command {
  /** Paragraphs for `--help`; lines that begin with a space are kept as they are. */
  readonly description: readonly string[];
  readonly arguments: ArgumentSpec;
  readonly options: OptionSpecs;
  readonly examples: readonly [Example, ...Example[]];
  /** Does the work. @returns the exit status */
  run(invocation: Invocation, host: Host): Promise<number>;
}

/** What was typed, checked against the command's declarations. */
export interface Invocation {
  readonly arguments: readonly string[];
  readonly options: Options;
  /** The command line for other people's messages: `tvix import ./x`. */
  readonly purpose: string;
}

/** The world outside, as far as a command may touch it. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** Whether the effective user is root. */
  readonly isRoot: boolean;
  /** Where data goes. */
  readonly stdout: Output;
  /** Where everything else goes: progress, notes, errors. */
  readonly stderr: Diagnostics;
  /** Aborted by Ctrl-C, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
}
