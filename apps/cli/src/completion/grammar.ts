import type { OptionSpec } from "../command.js";
import { GLOBAL_OPTIONS } from "../global-options.js";
import { COMMANDS } from "../table.js";

/** What a completion script has to know of a command. */
export interface CommandGrammar {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly (readonly [name: string, spec: OptionSpec])[];
  /** What its arguments name. */
  readonly completes: "file" | readonly string[];
}

/** The grammar of every command, taken from the declarations that the program itself uses. */
export async function grammarOfAll(): Promise<readonly CommandGrammar[]> {
  return await Promise.all(
    COMMANDS.map(async ({ name, summary, load }) => {
      const command = await load();
      const options = Object.entries({ ...command.options, ...GLOBAL_OPTIONS });
      return { name, summary, options, completes: command.arguments.completes ?? [] };
    }),
  );
}

/** The options as they are typed: `-q`, `--quiet`. */
export function spellings([name, spec]: readonly [string, OptionSpec]): readonly string[] {
  return spec.short === undefined ? [`--${name}`] : [`-${spec.short}`, `--${name}`];
}

/** The second words of the commands that have two, by their first word. */
export function families(
  commands: readonly CommandGrammar[],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { name } of commands) {
    const [first, second] = name.split(" ");
    if (first === undefined || second === undefined) continue;
    found.set(first, [...(found.get(first) ?? []), second]);
  }
  return found;
}

/** Every option that takes a value, as it is typed. */
export function valueOptions(
  commands: readonly CommandGrammar[],
  accept: (spec: OptionSpec) => boolean = () => true,
): readonly string[] {
  const found = commands
    .flatMap(({ options }) => options)
    .filter(([, spec]) => spec.value !== undefined && accept(spec));
  return [...new Set(found.flatMap((option) => spellings(option)))];
}

/** Every option that takes one of a few words, as it is typed, with those. */
export function wordValues(
  commands: readonly CommandGrammar[],
): readonly (readonly [option: string, values: readonly string[]])[] {
  return commands.flatMap(({ options }) =>
    options.flatMap((option) => {
      const { completes } = option[1];
      if (typeof completes !== "object") return [];
      return spellings(option).map((typed) => [typed, completes] as const);
    }),
  );
}
