import { GLOBAL_OPTIONS } from "../global-options.js";
import { type CommandGrammar, families, spellings, valueOptions, wordValues } from "./grammar.js";

/** A script for bash 4 and later. Uses nothing of the bash-completion package. */
export function bashScript(commands: readonly CommandGrammar[]): string {
  const globals = Object.keys(GLOBAL_OPTIONS).map((name) => `--${name}`);
  const words = [...new Set(commands.map(({ name }) => name.split(" ")[0]))];
  return `# bash completion for tvix
_tvix() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" word index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$word" in
      ${valueOptions(commands).join("|")}) ((index++)) ;;
      -*) ;;
      *)
        case "$command" in
          "") command="$word" ;;
          ${[...families(commands).keys()].join("|")}) command="$command $word" ;;
        esac ;;
    esac
  done
  case "$previous" in
${valueCases(commands)}
  esac
  case "$command" in
    "") _tvix_words "${words.join(" ")} ${globals.join(" ")}" ;;
${[...families(commands)].map(([family, seconds]) => `    ${family}) _tvix_words "${seconds.join(" ")}" ;;`).join("\n")}
${commands.map(commandCase).join("\n")}
  esac
}
_tvix_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}
_tvix_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
}
complete -F _tvix tvix`;
}

function commandCase({ name, options, completes }: CommandGrammar): string {
  const words = options.flatMap((option) => spellings(option)).join(" ");
  const rest = completes === "file" ? "_tvix_files -f" : `_tvix_words "${completes.join(" ")}"`;
  return `    "${name}") if [[ "$current" == -* ]]; then _tvix_words "${words}"; else ${rest}; fi ;;`;
}

/** What is offered behind an option; nothing where its value is free text. */
function valueCases(commands: readonly CommandGrammar[]): string {
  const words = wordValues(commands).map(
    ([option, values]) => `    ${option}) _tvix_words "${values.join(" ")}"; return ;;`,
  );
  return [
    ...valueCase(commands, "directory", "_tvix_files -d; return"),
    ...valueCase(commands, "file", "_tvix_files -f; return"),
    ...words,
    ...valueCase(commands, undefined, "return"),
  ].join("\n");
}

function valueCase(
  commands: readonly CommandGrammar[],
  kind: "directory" | "file" | undefined,
  action: string,
): string[] {
  const options = valueOptions(commands, (spec) => spec.completes === kind);
  return options.length === 0 ? [] : [`    ${options.join("|")}) ${action} ;;`];
}
