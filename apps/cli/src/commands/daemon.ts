import { DAEMON_OPTIONS } from "@tvix/daemon/options";
import type { Command, Host, Invocation, OptionSpecs } from "../command.js";

const SETTINGS: OptionSpecs = Object.fromEntries(
  DAEMON_OPTIONS.map(({ name, ...spec }) => [name, spec]),
);

/** `tvix daemon [--listen HOST:PORT] [--config FILE] ...` */
export const daemonCommand: Command = {
  description: [
    "Serves the store of a data directory: by gRPC, Connect and gRPC-Web, as a binary cache that Nix reads and writes, with /healthz, /readyz and /metrics, on daemon.sock in the data directory and on 127.0.0.1:8000. Commands that use the same data directory find it there. Prints one line when it is ready, then logs to standard error.",
    "Each setting is taken from its option, else from the environment (--tls-cert is TVIX_TLS_CERT), else from the TOML file of --config or $TVIX_CONFIG (cert in [tls]), else it is the default. --print-config prints the result as such a file, with where each value comes from.",
    "An address that other machines can reach takes TLS, and tokens or client certificates. A token file has a line NAME SCOPE TOKEN for each token; SCOPE is read or write.",
    "SIGTERM and Ctrl-C let calls end before the daemon does; a second one ends it at once. SIGHUP reads certificates, tokens and signing keys again. Sockets of systemd are used instead of --listen; OTEL_EXPORTER_OTLP_ENDPOINT turns traces on.",
  ],
  arguments: { usage: "", min: 0, max: 0 },
  options: {
    config: { value: "FILE", completes: "file", summary: "Take settings from this TOML file" },
    "print-config": { summary: "Print the settings and where they come from; serve nothing" },
    ...SETTINGS,
  },
  examples: [
    { line: "tvix daemon", meaning: "Serves the store to this machine on port 8000" },
    {
      line: "tvix daemon --listen 0.0.0.0:8443 --tls-cert c.pem --tls-key k.pem --tokens t",
      meaning: "Serves it to whoever has a token",
    },
  ],
  run,
};

async function run(invocation: Invocation, host: Host): Promise<number> {
  const { serve } = await import("../daemon/serve.js");
  return await serve(invocation, host);
}
