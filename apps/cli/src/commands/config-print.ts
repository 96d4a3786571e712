import type { Command, Host, Invocation } from "../command.js";

/** `tvix config print` */
export const configPrintCommand: Command = {
  description: [
    "Prints the stores that commands with the same options and environment use: a table for each service, with a comment that says where it was named. The output is itself a composition for --composition. Secrets are left out.",
  ],
  arguments: { usage: "", min: 0, max: 0 },
  options: {},
  examples: [
    {
      line: "tvix config print --store 'cache:?near=local:&far=grpc%2Bhttp%3A%2F%2Fa.example%3A8000'",
      meaning: "Shows what an address stands for",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { printConfig } = await import("../config/print-config.js");
  return await printConfig(invocation, host);
}
