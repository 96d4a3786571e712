import type { OptionSpec } from "../command.js";
import { type CommandGrammar, families, valueOptions } from "./grammar.js";

/** A script for zsh 5; works from `eval` and as the file `_tvix` in `$fpath`. */
export function zshScript(commands: readonly CommandGrammar[]): string {
  return `#compdef tvix
_tvix() {
  local command="" index
  local -a commands
  commands=(
${firstWords(commands).join("\n")}
  )
  for ((index = 2; index < CURRENT; index++)); do
    case "$words[index]" in
      ${valueOptions(commands).join("|")}) ((index++)) ;;
      -*) ;;
      ${[...families(commands).keys()].join("|")}) command="$words[index] $words[index+1]"; break ;;
      *) command="$words[index]"; break ;;
    esac
  done
  case "$command" in
${commands.map(zshCase).join("\n")}
${[...families(commands)].map(familyCase).join("\n")}
    *) _describe -t commands 'tvix command' commands ;;
  esac
}
if [[ "$funcstack[1]" == _tvix ]]; then _tvix "$@"; else compdef _tvix tvix; fi`;
}

/** A line for each first word of a command, with what it does. */
function firstWords(commands: readonly CommandGrammar[]): readonly string[] {
  const seen = new Map<string, string>();
  for (const { name, summary } of commands) {
    const [first = ""] = name.split(" ");
    if (!seen.has(first)) seen.set(first, summary);
  }
  return [...seen].map(([first, summary]) => `    ${quote(`${first}:${summary}`)}`);
}

/** Completes the second word of a command. */
function familyCase([family, seconds]: readonly [string, readonly string[]]): string {
  return `    ${quote(`${family} `)}*) compadd ${seconds.join(" ")} ;;`;
}

function zshCase({ name, options, completes }: CommandGrammar): string {
  const rest =
    completes === "file"
      ? "'*:argument:_files'"
      : completes.length === 0
        ? ""
        : quote(`*:argument:(${completes.join(" ")})`);
  const specs = options.flatMap(zshOption).join(" ");
  return `    ${quote(name)}) _arguments ${specs} ${rest} ;;`;
}

function zshOption([name, spec]: readonly [string, OptionSpec]): string[] {
  const summary = `[${spec.summary.replace(/[[\]:]/g, "\\$&")}]`;
  const value = spec.value === undefined ? "" : `:${spec.value}:${action(spec.completes)}`;
  const long = quote(`--${name}${summary}${value}`);
  return spec.short === undefined ? [long] : [quote(`-${spec.short}${summary}${value}`), long];
}

function action(completes: OptionSpec["completes"]): string {
  if (completes === "directory") return "_files -/";
  if (completes === "file") return "_files";
  return completes === undefined ? " " : `(${completes.join(" ")})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
