import type { Command, Host, Invocation } from "../command.js";

/** `tvix config check FILE` */
export const configCheckCommand: Command = {
  description: [
    "Checks a file that puts stores together: every table, key and address in it, and that all references lead to something without a circle. Prints every problem with file, line and key; nothing is opened.",
    [
      "The short form names upstreams and where to keep what they send:",
      "  [cache]",
      '  dir = "/var/cache/tvix"',
      "  [[upstreams]]",
      '  url = "grpc+https://store.example.org:8443"',
      '  keys = ["store.example.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="]',
      "  [[upstreams]]",
      '  url = "https://cache.example.org"',
      '  keys = ["cache.example.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="]',
    ].join("\n"),
    [
      "The full form has a table for each service, as in tvix and snix. This is for blobs; directoryservices and pathinfoservices are written in the same way:",
      "  [blobservices.root]",
      '  type = "cache"',
      '  near = "local:///var/cache/tvix"',
      '  far = "&far"',
      "  [blobservices.far]",
      '  type = "grpc"',
      '  url = "grpc+http://store.example.org:8000"',
    ].join("\n"),
    "Use it with --composition FILE or $TVIX_COMPOSITION. docs/composition.md has all types and keys.",
  ],
  arguments: { usage: "FILE", min: 1, max: 1, completes: "file" },
  options: {},
  examples: [{ line: "tvix config check stores.toml", meaning: "Tells whether it can be used" }],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { checkConfig } = await import("../config/check-config.js");
  return await checkConfig(invocation, host);
}
