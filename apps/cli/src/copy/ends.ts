import { TrustedKeys } from "@tvix/store";
import {
  canCompress,
  FILE_COMPRESSIONS,
  type FileCompression,
  parseCacheAddress,
  type SignaturePolicy,
} from "@tvix/store/upstream";
import { quote } from "../args/quote.js";
import type { Host, Invocation } from "../command.js";
import { UsageError } from "../exit.js";
import { parseStoreAddress, type StorePlace } from "../store/place.js";
import { readTokenFile } from "../store/token-file.js";
import { parseTarget } from "../target/target.js";
import type { WantedPath } from "./plan.js";

/** A binary cache or a store. */
type CopyPlace =
  | { readonly kind: "cache"; readonly address: string }
  | { readonly kind: "store"; readonly place: StorePlace };

/** Another place than the store of the command. */
type OtherPlace =
  | CopyPlace
  /** A store of Nix on this machine, by JSON that describes it. */
  | { readonly kind: "disk"; readonly file: string; readonly root: string };

/** What a command line says about where to copy from and to. */
export interface Ends {
  readonly direction: "from" | "to";
  readonly other: OtherPlace;
  /** The end that is not `other`; the store of the command line where it is not named. */
  readonly own: StorePlace | undefined;
  readonly signatures: SignaturePolicy;
  readonly wanted: readonly WantedPath[];
  /** Of what is sent to a binary cache. */
  readonly compression: FileCompression | "none";
  /** What goes into `Authorization` for a binary cache, if not what its address says. */
  readonly authorization: string | undefined;
}

/** @throws {@link UsageError} */
export async function parseEnds(invocation: Invocation, host: Host): Promise<Ends> {
  const { options } = invocation;
  const file = options.value("path-info-json");
  if (file !== undefined) return diskEnds(invocation, file);
  if (options.value("root") !== undefined) {
    throw new UsageError("option --root is for --path-info-json");
  }
  const { from, to, words } = addressesOf(invocation);
  if (from === undefined && to === undefined) {
    throw new UsageError("copy needs STORE STORE, --from ADDR or --to ADDR: see tvix copy --help");
  }
  const source = from === undefined ? undefined : parsePlace(from, "where from", host);
  const target = to === undefined ? undefined : parsePlace(to, "where to", host);
  const between = endsBetween(source, target);
  if (words.length === 0 && between.other.kind === "cache") {
    throw new UsageError("copy needs PATH...: a binary cache does not list what it has");
  }
  return {
    ...between,
    ...cacheSettings(invocation, between.other, between.direction),
    signatures: signaturePolicy(invocation, source, host),
    wanted: words.map(parseWanted),
  };
}

/** Where from and where to, by options or as the first two words, and the paths. */
function addressesOf({ options, arguments: words }: Invocation): {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly words: readonly string[];
} {
  const [from, to] = [options.value("from"), options.value("to")];
  const [first = "", second = ""] = words;
  if (!isAddress(first)) return { from, to, words };
  if (from !== undefined || to !== undefined) {
    throw new UsageError(`${quote(first)} and options --from and --to name the same: give one`);
  }
  if (isAddress(second)) return { from: first, to: second, words: words.slice(2) };
  throw new UsageError(`${quote(first)} says where from, and no STORE behind it where to`);
}

/** No store path and no digest has a colon that early. */
function isAddress(word: string): boolean {
  return /^(?!b3:)[a-z][a-z0-9+.-]*:/.test(word);
}

/** One end is a store; a binary cache can only be the other. */
function endsBetween(
  source: CopyPlace | undefined,
  target: CopyPlace | undefined,
): Pick<Ends, "direction" | "other" | "own"> {
  if (source !== undefined && target?.kind !== "cache") {
    return { direction: "from", other: source, own: target?.place };
  }
  if (target !== undefined && source?.kind !== "cache") {
    return { direction: "to", other: target, own: source?.place };
  }
  throw new UsageError("one end of a copy has to be a store, but both are binary caches");
}

/** Without PATHs, all that is described is wanted. */
function diskEnds({ options, arguments: words }: Invocation, file: string): Ends {
  for (const name of ["from", "to", "trusted-public-keys", "compression", "cache-token-file"]) {
    if (options.value(name) === undefined) continue;
    throw new UsageError(`options --path-info-json and --${name} exclude each other`);
  }
  return {
    direction: "from",
    other: { kind: "disk", file, root: options.value("root") ?? "/" },
    own: undefined,
    signatures: "accept-unsigned",
    wanted: words.map(parseWanted),
    compression: "none",
    authorization: undefined,
  };
}

/** The token is never the one of the own store: that is nothing for other people's caches. */
function cacheSettings(
  { options }: Invocation,
  other: OtherPlace,
  direction: Ends["direction"],
): Pick<Ends, "compression" | "authorization"> {
  const [name, file] = [options.value("compression"), options.value("cache-token-file")];
  if (name !== undefined && (other.kind !== "cache" || direction === "from")) {
    throw new UsageError("option --compression is for --to http(s)://...");
  }
  if (file !== undefined && other.kind !== "cache") {
    throw new UsageError("option --cache-token-file is for http(s)://...; see --token-file");
  }
  return {
    compression: parseCompression(name),
    authorization: file === undefined ? undefined : `Bearer ${readTokenFile(file)}`,
  };
}

function parseCompression(name: string | undefined): Ends["compression"] {
  if (name === undefined || name === "none") return "none";
  const compression = FILE_COMPRESSIONS.find((known) => known === name);
  if (compression === undefined) {
    const names = ["none", ...FILE_COMPRESSIONS].join(", ");
    throw new UsageError(`option --compression needs one of ${names}, but it is ${quote(name)}`);
  }
  if (canCompress(compression)) return compression;
  throw new UsageError(
    `option --compression: ${compression} cannot be written here: an optional package for it is not installed`,
  );
}

function parsePlace(address: string, origin: string, host: Host): CopyPlace {
  if (!/^(?:nix\+)?https?:/.test(address)) {
    return { kind: "store", place: parseStoreAddress(address, origin, host) };
  }
  understand(origin, () => parseCacheAddress(address));
  return { kind: "cache", address };
}

/**
 * Nobody is believed whom the command line, the environment or the address does not name. Where to has
 * no say: what is in the own store is believed.
 *
 * @param source - `undefined` for the own store
 */
function signaturePolicy(
  { options }: Invocation,
  source: CopyPlace | undefined,
  host: Host,
): SignaturePolicy {
  const given = options.value("trusted-public-keys");
  const needsRoot = options.has("require-root-signatures");
  if (options.has("no-check-sigs")) {
    const other = needsRoot ? "require-root-signatures" : "trusted-public-keys";
    if (given === undefined && !needsRoot) return "accept-unsigned";
    throw new UsageError(`options --no-check-sigs and --${other} exclude each other`);
  }
  if (needsRoot && source?.kind !== "store") {
    throw new UsageError("option --require-root-signatures is for copies from another store");
  }
  if (source === undefined) return "accept-unsigned";
  const ofAddress =
    source.kind === "cache" ? parseCacheAddress(source.address).trustedPublicKeys : undefined;
  const texts = [given, ofAddress, host.env["TVIX_TRUSTED_PUBLIC_KEYS"]];
  const text = texts.filter((part) => part !== undefined).join(" ");
  return { trustedKeys: parseTrustedKeys(text), require: needsRoot ? "root" : "any" };
}

/**
 * Keys with commas or spaces between them.
 *
 * @throws {@link UsageError}
 */
export function parseTrustedKeys(text: string): TrustedKeys;
export function parseTrustedKeys(text: string | undefined): TrustedKeys | undefined;
export function parseTrustedKeys(text: string | undefined): TrustedKeys | undefined {
  if (text === undefined) return undefined;
  return understand("option --trusted-public-keys", () =>
    TrustedKeys.parse(text.replaceAll(",", " ")),
  );
}

/** The path that a word names. */
export function parseWanted(word: string): WantedPath {
  const target = parseTarget(word);
  if (target.kind === "store-path" && target.path.components.length === 0) return target;
  throw new UsageError(`${quote(word)} is not a store path, which is all that can be copied`);
}

function understand<T>(origin: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UsageError(`${origin} cannot be understood: ${error.message}`, { cause: error });
  }
}
