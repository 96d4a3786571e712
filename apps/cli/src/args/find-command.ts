import type { OptionSpecs } from "../command.js";
import { UsageError } from "../exit.js";
import { quote } from "./quote.js";
import { suggest } from "./suggest.js";

/** Which command a command line is for, and all of its other words. */
export interface FoundCommand {
  /** `undefined` when the line names none. */
  readonly name: string | undefined;
  /** The words without those of the name. */
  readonly rest: readonly string[];
}

/**
 * Finds the command on a command line whose options may stand before it.
 *
 * The options of the commands are not known here. So behind an unknown option, a word that is no
 * command is taken for the value of that option.
 *
 * @param names - of all commands; some have two words
 * @throws {@link UsageError} on an unknown command, with what was probably meant
 */
export function findCommand(
  words: readonly string[],
  names: readonly string[],
  globals: OptionSpecs,
): FoundCommand {
  for (let i = 0, behindUnknown = false; i < words.length; i++) {
    const word = words[i] as string;
    if (word === "--") break;
    if (isOption(word)) {
      const kind = globalKind(word, globals);
      if (kind === "value") i++;
      behindUnknown = kind === "unknown" && !word.includes("=");
      continue;
    }
    const name = nameAt(words, i, names);
    if (name !== undefined) return { name, rest: without(words, i, name.split(" ").length) };
    if (!behindUnknown) throw unknownCommand(words, i, names);
    behindUnknown = false;
  }
  return { name: undefined, rest: words };
}

function isOption(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function globalKind(word: string, globals: OptionSpecs): "switch" | "value" | "unknown" {
  const found = Object.entries(globals).find(
    ([name, spec]) =>
      word === `--${name}` || word.startsWith(`--${name}=`) || word === `-${spec.short}`,
  );
  if (found === undefined) return "unknown";
  return found[1].value !== undefined && !word.includes("=") ? "value" : "switch";
}

function nameAt(
  words: readonly string[],
  index: number,
  names: readonly string[],
): string | undefined {
  return names.find((name) => {
    const parts = name.split(" ");
    return parts.every((part, offset) => words[index + offset] === part);
  });
}

function without(words: readonly string[], index: number, count: number): readonly string[] {
  return [...words.slice(0, index), ...words.slice(index + count)];
}

function unknownCommand(
  words: readonly string[],
  index: number,
  names: readonly string[],
): UsageError {
  const word = words[index] as string;
  const forms = names.filter((name) => name.startsWith(`${word} `));
  if (forms.length > 0) {
    const next = words[index + 1];
    const list = forms.map((form) => `tvix ${form}`).join(", ");
    return new UsageError(
      next === undefined || isOption(next)
        ? `${quote(word)} is incomplete, there is: ${list}`
        : `unknown command ${quote(`${word} ${next}`)}, there is: ${list}`,
    );
  }
  const meant = suggest(word, names);
  const hint = meant === undefined ? "see tvix --help" : `did you mean "${meant}"?`;
  return new UsageError(`unknown command ${quote(word)}: ${hint}`);
}
