import { isAbsolute, join, resolve } from "node:path";
import type { Options } from "../args/options.js";
import { quote } from "../args/quote.js";
import { type DataDirSources, dataDirectory } from "../data-dir.js";
import { UsageError } from "../exit.js";

/** Where the store is that a command line names. */
export type StorePlace =
  /** A data directory; `alone` when a daemon that serves it is left aside. */
  | { readonly kind: "directory"; readonly directory: string; readonly alone: boolean }
  /** A daemon: `grpc+http://HOST:PORT`, `grpc+https://HOST:PORT` or `grpc+unix:///PATH`. */
  | { readonly kind: "daemon"; readonly address: string }
  /** A store that is put together from others. */
  | {
      readonly kind: "composition";
      readonly source: CompositionSource;
      /** What `local:` means in it. Absolute. */
      readonly dataDirectory: string;
    };

/** An address, and where it was written. */
interface NamedAddress {
  readonly address: string;
  /** `option --store`, `TVIX_STORE`. */
  readonly origin: string;
}

/** What a composition is read from. */
export type CompositionSource =
  /** A file of TOML. */
  | { readonly file: string; readonly origin: string }
  /** An address of another kind than those of a directory and a daemon. */
  | { readonly store: NamedAddress }
  /** Addresses for some services; the others are those of another place. */
  | { readonly services: ServiceAddresses; readonly rest: StorePlace };

/** The addresses of single services. */
interface ServiceAddresses {
  readonly blobs?: NamedAddress;
  readonly directories?: NamedAddress;
  readonly pathInfos?: NamedAddress;
}

const LOCAL = "local:";

/**
 * The store of a command. What options name comes before what the environment names, and in each of them
 * `--composition` before the addresses of single services, and those before `--store` and `--data-dir`; at last the
 * data directory that {@link dataDirectory} finds.
 *
 * @throws {@link UsageError} when options contradict each other or an address is none
 */
export function storePlace(options: Options, sources: DataDirSources): StorePlace {
  const store = options.value("store");
  const dataDir = options.value("data-dir");
  if (store !== undefined && dataDir !== undefined) {
    throw new UsageError("options --store and --data-dir both name a store: give one of them");
  }
  const file = options.value("composition");
  if (file !== undefined) {
    if (store === undefined) return filePlace(file, "option --composition", dataDir, sources);
    throw new UsageError("options --store and --composition both name a store: give one of them");
  }
  const services = optionAddresses(options);
  if (store !== undefined) {
    return withServices(services, parseStoreAddress(store, "option --store", sources), sources);
  }
  if (dataDir !== undefined)
    return withServices(services, ownPlace(dataDir, sources), sources, dataDir);
  if (Object.keys(services).length === 0) return placeOfEnvironment(sources);
  const all = { ...environmentAddresses(sources), ...services };
  return withServices(all, storeOfEnvironment(sources), sources);
}

/** Variables and options are named as those of tvix and snix. */
const SERVICES: readonly (readonly [keyof ServiceAddresses, variable: string, option: string])[] = [
  ["blobs", "BLOB_SERVICE_ADDR", "blob-service-addr"],
  ["directories", "DIRECTORY_SERVICE_ADDR", "directory-service-addr"],
  ["pathInfos", "PATH_INFO_SERVICE_ADDR", "path-info-service-addr"],
];

const COMPOSITION_VARIABLES = ["TVIX_COMPOSITION", "EXPERIMENTAL_STORE_COMPOSITION"] as const;

function placeOfEnvironment(sources: DataDirSources): StorePlace {
  const { env } = sources;
  for (const name of COMPOSITION_VARIABLES) {
    const file = env[name];
    if (file !== undefined) return filePlace(file, name, undefined, sources);
  }
  return withServices(environmentAddresses(sources), storeOfEnvironment(sources), sources);
}

function storeOfEnvironment(sources: DataDirSources): StorePlace {
  const setting = sources.env["TVIX_STORE"];
  return setting === undefined
    ? ownPlace(undefined, sources)
    : parseStoreAddress(setting, "TVIX_STORE", sources);
}

function ownPlace(dataDir: string | undefined, sources: DataDirSources): StorePlace {
  return { kind: "directory", directory: dataDirectory(dataDir, sources), alone: false };
}

function optionAddresses(options: Options): ServiceAddresses {
  return addresses((_, option) => [options.value(option), `option --${option}`]);
}

function environmentAddresses({ env }: DataDirSources): ServiceAddresses {
  return addresses((variable) => [env[variable], variable]);
}

/** Only those that are there. */
function addresses(
  find: (variable: string, option: string) => [address: string | undefined, origin: string],
): ServiceAddresses {
  const found = SERVICES.flatMap(([kind, variable, option]) => {
    const [address, origin] = find(variable, option);
    return address === undefined ? [] : [[kind, { address, origin }] as const];
  });
  return Object.fromEntries(found);
}

function withServices(
  services: ServiceAddresses,
  rest: StorePlace,
  sources: DataDirSources,
  dataDir?: string,
): StorePlace {
  if (Object.keys(services).length === 0) return rest;
  return composed({ services, rest }, dataDir, sources);
}

function filePlace(
  file: string,
  origin: string,
  dataDir: string | undefined,
  sources: DataDirSources,
): StorePlace {
  if (file === "") throw new UsageError(`${origin} needs a file, but it is empty`);
  return composed({ file: resolve(file), origin }, dataDir, sources);
}

function composed(
  source: CompositionSource,
  dataDir: string | undefined,
  sources: DataDirSources,
): StorePlace {
  const directory = resolve(dataDirectory(dataDir, sources));
  return { kind: "composition", source, dataDirectory: directory };
}

/**
 * Reads an address: of a daemon, `grpc+http(s)://…` or `grpc+unix:///…`; of a directory, `local:///…`; or of anything
 * else that looks like one, which opening it will tell.
 *
 * @param origin - where the text stands, for messages
 * @throws {@link UsageError}
 */
export function parseStoreAddress(
  text: string,
  origin: string,
  sources: DataDirSources,
): StorePlace {
  if (/^grpc\+(?:http|https|unix):\/\/[^?#@]*$/.test(text))
    return { kind: "daemon", address: text };
  if (/^[a-z][a-z0-9+.-]*:/.test(text) && !/^(?:local:[^?#]*$|https?:)/.test(text)) {
    return composed({ store: { address: text, origin } }, undefined, sources);
  }
  if (!text.startsWith(LOCAL)) {
    throw new UsageError(
      `${origin} needs an address such as grpc+http://127.0.0.1:8000, grpc+unix:///run/tvix.sock or local:///var/lib/tvix, but it is ${quote(text)}`,
    );
  }
  const rest = text.slice(LOCAL.length);
  const directory = unescaped(rest.startsWith("//") ? rest.slice(2) : rest, origin);
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

function unescaped(path: string, origin: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new UsageError(
      `${origin} has a percent sign that two hexadecimal digits do not follow: ${quote(path)}`,
      { cause },
    );
  }
}

/** Where the daemon of a data directory can be reached. */
export function daemonSocket(directory: string): string {
  return join(directory, "daemon.sock");
}
