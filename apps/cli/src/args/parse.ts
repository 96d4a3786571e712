import { parseArgs } from "node:util";
import type { ArgumentSpec, OptionSpec, OptionSpecs } from "../command.js";
import { UsageError } from "../exit.js";
import { Options } from "./options.js";
import { quote } from "./quote.js";
import { suggest } from "./suggest.js";

/** The arguments and options of one command line. */
export interface ParsedWords {
  readonly arguments: readonly string[];
  readonly options: Options;
}

/**
 * Sorts the words of a command line into options and arguments. `--` ends the options; `-` alone is
 * an argument; the last of a repeated option counts, where they do not add up.
 *
 * @throws {@link UsageError} on an unknown option, a missing or a superfluous value
 */
export function parseWords(words: readonly string[], specs: OptionSpecs): ParsedWords {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, toNode(spec)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string | true>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind === "option") {
      const value = optionValue(token, specs);
      const earlier = given.get(token.name);
      const addsUp = specs[token.name]?.repeats === true && earlier !== undefined;
      given.set(token.name, addsUp ? `${earlier},${value}` : value);
    }
  }
  return { arguments: positionals, options: new Options(Object.keys(specs), given) };
}

/**
 * Checks how many arguments there are.
 *
 * @throws {@link UsageError}
 */
export function checkCount(name: string, given: readonly string[], spec: ArgumentSpec): void {
  if (given.length < spec.min) {
    throw new UsageError(`${name} needs ${spec.usage}: see tvix ${name} --help`);
  }
  if (given.length > spec.max) {
    const extra = quote(given[spec.max] ?? "");
    throw new UsageError(
      spec.max === 0
        ? `${name} takes no arguments, but there is ${extra}`
        : `${name} takes ${spec.usage}, but there is also ${extra}`,
    );
  }
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function toNode(spec: OptionSpec): { type: "string" | "boolean"; short?: string } {
  const type = spec.value === undefined ? "boolean" : "string";
  return spec.short === undefined ? { type } : { type, short: spec.short };
}

function optionValue(token: OptionToken, specs: OptionSpecs): string | true {
  const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
  if (spec === undefined) throw unknownOption(token, specs);
  if (spec.value === undefined) {
    if (token.value === undefined) return true;
    throw new UsageError(`option ${token.rawName} takes no value`);
  }
  // `--name --json` is a forgotten value, not a file called "--json"; `--name=--json` is one.
  const forgotten = token.inlineValue === false && /^-./.test(token.value ?? "");
  if (token.value === undefined || forgotten) {
    throw new UsageError(`option ${token.rawName} needs a value: ${token.rawName} ${spec.value}`);
  }
  return token.value;
}

function unknownOption(token: OptionToken, specs: OptionSpecs): UsageError {
  const meant = token.rawName.startsWith("--")
    ? suggest(token.name, Object.keys(specs))
    : undefined;
  const hint = meant === undefined ? "see --help" : `did you mean --${meant}?`;
  return new UsageError(`unknown option ${quote(token.rawName).slice(1, -1)}: ${hint}`);
}
