import { isAbsolute, join } from "node:path";
import type { Options } from "../args/options.js";
import { quote } from "../args/quote.js";
import { type DataDirSources, dataDirectory } from "../data-dir.js";
import { UsageError } from "../exit.js";

/** Where the store is that a command line names. */
export type StorePlace =
  /** A data directory; `alone` when a daemon that serves it is left aside. */
  | { readonly kind: "directory"; readonly directory: string; readonly alone: boolean }
  /** A daemon: `grpc+http://HOST:PORT`, `grpc+https://HOST:PORT` or `grpc+unix:///PATH`. */
  | { readonly kind: "daemon"; readonly address: string };

const LOCAL = "local:";

/**
 * The store of a command: `--store`, else `--data-dir`, else `$TVIX_STORE`, else the data directory
 * that {@link dataDirectory} finds.
 *
 * @throws {@link UsageError} when options contradict each other or an address is none
 */
export function storePlace(options: Options, sources: DataDirSources): StorePlace {
  const store = options.value("store");
  const dataDir = options.value("data-dir");
  if (store !== undefined && dataDir !== undefined) {
    throw new UsageError("options --store and --data-dir both name a store: give one of them");
  }
  if (store !== undefined) return parseStoreAddress(store, "option --store", sources);
  const setting = sources.env["TVIX_STORE"];
  if (dataDir === undefined && setting !== undefined) {
    return parseStoreAddress(setting, "TVIX_STORE", sources);
  }
  return { kind: "directory", directory: dataDirectory(dataDir, sources), alone: false };
}

/**
 * Reads `grpc+http(s)://…`, `grpc+unix:///…` or `local:///…`.
 *
 * @param origin - where the text stands, for messages
 * @throws {@link UsageError}
 */
export function parseStoreAddress(
  text: string,
  origin: string,
  sources: DataDirSources,
): StorePlace {
  if (/^grpc\+(?:http|https|unix):/.test(text)) return { kind: "daemon", address: text };
  if (!text.startsWith(LOCAL)) {
    throw new UsageError(
      `${origin} needs an address such as grpc+http://127.0.0.1:8000, grpc+unix:///run/tvix.sock or local:///var/lib/tvix, but it is ${quote(text)}`,
    );
  }
  const rest = text.slice(LOCAL.length);
  const directory = rest.startsWith("//") ? rest.slice(2) : rest;
  if (directory === "") {
    return { kind: "directory", directory: dataDirectory(undefined, sources), alone: true };
  }
  if (!isAbsolute(directory)) {
    throw new UsageError(
      `${origin} needs an absolute path in local:///PATH, but it is ${quote(text)}`,
    );
  }
  return { kind: "directory", directory, alone: true };
}

/** Where the daemon of a data directory can be reached. */
export function daemonSocket(directory: string): string {
  return join(directory, "daemon.sock");
}
