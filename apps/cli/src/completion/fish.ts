import type { OptionSpec } from "../command.js";
import type { CommandGrammar } from "./grammar.js";

/** A script for fish 3 and later. */
export function fishScript(commands: readonly CommandGrammar[]): string {
  return [
    "# fish completion for tvix",
    "complete -c tvix -f",
    ...commands.flatMap(commandLines),
  ].join("\n");
}

function commandLines(command: CommandGrammar): string[] {
  const [first = "", second] = command.name.split(" ");
  const chosen = `__fish_seen_subcommand_from ${first}`;
  const condition =
    second === undefined ? chosen : `${chosen}; and __fish_seen_subcommand_from ${second}`;
  return [
    `complete -c tvix -n __fish_use_subcommand -a ${first} -d ${quote(command.summary)}`,
    ...(second === undefined
      ? []
      : [
          `complete -c tvix -n ${quote(`${chosen}; and not __fish_seen_subcommand_from ${second}`)} -a ${second} -d ${quote(command.summary)}`,
        ]),
    ...argumentLines(command, condition),
    ...command.options.map((option) => optionLine(option, condition)),
  ];
}

function argumentLines({ completes }: CommandGrammar, condition: string): string[] {
  const start = `complete -c tvix -n ${quote(condition)}`;
  if (completes === "file") return [`${start} -F`];
  return completes.length === 0 ? [] : [`${start} -a ${quote(completes.join(" "))}`];
}

function optionLine([name, spec]: readonly [string, OptionSpec], condition: string): string {
  const parts = [`complete -c tvix -n ${quote(condition)} -l ${name}`];
  if (spec.short !== undefined) parts.push(`-s ${spec.short}`);
  if (spec.value !== undefined) parts.push(valuePart(spec.completes));
  return `${parts.join(" ")} -d ${quote(spec.summary)}`;
}

function valuePart(completes: OptionSpec["completes"]): string {
  if (completes === "directory") return "-x -a '(__fish_complete_directories)'";
  if (completes === "file") return "-r -F";
  return completes === undefined ? "-x" : `-x -a ${quote(completes.join(" "))}`;
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
