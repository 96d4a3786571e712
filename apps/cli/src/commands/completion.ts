import { quote } from "../args/quote.js";
import type { Command, Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** `tvix completion bash|zsh|fish` */
export const completionCommand: Command = {
  description: [
    "Prints a script that teaches a shell to complete the commands, options and file names of tvix.",
    [
      "Load it when the shell starts:",
      '  bash: add  eval "$(tvix completion bash)"  to ~/.bashrc',
      '  zsh:  add  eval "$(tvix completion zsh)"   to ~/.zshrc, after compinit',
      "  fish: tvix completion fish > ~/.config/fish/completions/tvix.fish",
    ].join("\n"),
  ],
  arguments: { usage: "bash|zsh|fish", min: 1, max: 1, completes: SHELLS },
  options: {},
  examples: [
    { line: 'eval "$(tvix completion bash)"', meaning: "Completes tvix in this bash from now on" },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { completionScript } = await import("../completion/scripts.js");
  const [word = ""] = invocation.arguments;
  const shell = SHELLS.find((name) => name === word);
  if (shell === undefined) {
    throw new UsageError(`unknown shell ${quote(word)}: there is ${SHELLS.join(", ")}`);
  }
  await host.stdout.line(await completionScript(shell));
  return EXIT.ok;
}
