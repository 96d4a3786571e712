import { bashScript } from "./bash.js";
import { fishScript } from "./fish.js";
import { type CommandGrammar, grammarOfAll } from "./grammar.js";
import { zshScript } from "./zsh.js";

/** A shell that completion can be had for. */
export type Shell = "bash" | "zsh" | "fish";

const SCRIPTS: Record<Shell, (commands: readonly CommandGrammar[]) => string> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The completion script of tvix for `shell`. */
export async function completionScript(shell: Shell): Promise<string> {
  return SCRIPTS[shell](await grammarOfAll());
}
