import { type CommandGrammar, families, spellings, valueOptions } from "./grammar.js";

/** A script for bash 4 and later. Uses nothing of the bash-completion package. */
export function bashScript(commands: readonly CommandGrammar[]): string {
  const directories = valueOptions(commands, (spec) => spec.completes === "directory");
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
    ${directories.join("|")}) _tvix_files -d; return ;;
${freeText(commands, directories)}  esac
  case "$command" in
    "") _tvix_words "${words.join(" ")} --help --version --data-dir --quiet" ;;
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

/** Behind an option whose value is free text, nothing is offered. */
function freeText(commands: readonly CommandGrammar[], directories: readonly string[]): string {
  const others = valueOptions(commands).filter((word) => !directories.includes(word));
  return others.length === 0 ? "" : `    ${others.join("|")}) return ;;\n`;
}
