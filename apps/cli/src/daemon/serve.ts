import {
  ConfigError,
  type LoadedSettings,
  loadSettings,
  printSettings,
  runDaemon,
} from "@tvix/daemon";
import type { Options } from "../args/options.js";
import { suggest } from "../args/suggest.js";
import type { Host, Invocation } from "../command.js";
import { dataDirectory } from "../data-dir.js";
import { EXIT, UsageError } from "../exit.js";
import { onHangup } from "../interrupt.js";
import { version } from "../version.js";

/** Runs the daemon until a signal ends it, or prints its settings. */
export async function serve({ options, purpose }: Invocation, host: Host): Promise<number> {
  refuseClientOptions(options);
  try {
    const loaded = load(options, host);
    if (options.has("print-config")) {
      await host.stdout.line(printSettings(loaded).trimEnd());
      return EXIT.ok;
    }
    await runDaemon(loaded, {
      // Not a copy: variables that are meant for this process only are taken out of it.
      env: process.env,
      pid: process.pid,
      version: version(),
      purpose,
      isTerminal: host.stderr.isTerminal,
      writeText: (line) => host.stderr.line(line),
      signal: host.signal,
      onReload: onHangup,
    });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** What says how commands reach a store, and would have no effect here. @throws {@link UsageError} */
function refuseClientOptions(options: Options): void {
  for (const kind of ["blob", "directory", "path-info"]) {
    const name = `${kind}-service-addr`;
    if (!options.has(name)) continue;
    throw new UsageError(
      `daemon takes no --${name}: name each service in a file for --composition`,
    );
  }
  if (options.has("token-file")) {
    throw new UsageError(
      "daemon takes no --token-file: tokens of clients are in --tokens, and that for another server is in --store ADDR?token_file=FILE",
    );
  }
}

function load(options: Options, host: Host): LoadedSettings {
  return loadSettings({
    flag: (name) => {
      const given = options.value(name) ?? (options.has(name) ? true : undefined);
      return given === undefined && name === "log-level" && options.has("quiet") ? "error" : given;
    },
    env: host.env,
    configFile: options.value("config"),
    defaultDataDirectory: () => dataDirectory(undefined, host),
    suggest,
  });
}
