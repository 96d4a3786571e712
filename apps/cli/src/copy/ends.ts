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

/** Another place than the store of the command: a binary cache or a store. */
type OtherPlace =
  | { readonly kind: "cache"; readonly address: string }
  | { readonly kind: "store"; readonly place: StorePlace }
  /** A store of Nix on this machine, by JSON that describes it. */
  | { readonly kind: "disk"; readonly file: string; readonly root: string };

/** What a command line says about where to copy from and to. */
export interface Ends {
  readonly direction: "from" | "to";
  readonly other: OtherPlace;
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
  const [from, to] = [options.value("from"), options.value("to")];
  const file = options.value("path-info-json");
  if (file !== undefined) return diskEnds(invocation, file);
  if (options.value("root") !== undefined) {
    throw new UsageError("option --root is for --path-info-json");
  }
  if (from !== undefined && to !== undefined) {
    throw new UsageError("options --from and --to exclude each other: one end is the own store");
  }
  const address = from ?? to;
  if (address === undefined) {
    throw new UsageError("copy needs --from ADDR or --to ADDR: see tvix copy --help");
  }
  if (invocation.arguments.length === 0) throw new UsageError("copy needs PATH...");
  const direction = from === undefined ? "to" : "from";
  const other = parsePlace(address, `option --${direction}`, host);
  return {
    direction,
    other,
    ...cacheSettings(invocation, other, direction),
    signatures: signaturePolicy(invocation, other, host),
    wanted: invocation.arguments.map(parseWanted),
  };
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

function parsePlace(address: string, origin: string, host: Host): OtherPlace {
  if (!/^(?:nix\+)?https?:/.test(address)) {
    return { kind: "store", place: parseStoreAddress(address, origin, host) };
  }
  understand(origin, () => parseCacheAddress(address));
  return { kind: "cache", address };
}

/**
 * Nobody is believed whom the command line, the environment or the address does not name. Where to has
 * no say: what is in the own store is believed.
 */
function signaturePolicy({ options }: Invocation, other: OtherPlace, host: Host): SignaturePolicy {
  const given = options.value("trusted-public-keys");
  if (options.has("no-check-sigs")) {
    if (given === undefined) return "accept-unsigned";
    throw new UsageError("options --no-check-sigs and --trusted-public-keys exclude each other");
  }
  if (options.value("to") !== undefined) return "accept-unsigned";
  const ofAddress =
    other.kind === "cache" ? parseCacheAddress(other.address).trustedPublicKeys : undefined;
  const texts = [given, ofAddress, host.env["TVIX_TRUSTED_PUBLIC_KEYS"]];
  const text = texts.filter((part) => part !== undefined).join(" ");
  return { trustedKeys: parseTrustedKeys(text) };
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
