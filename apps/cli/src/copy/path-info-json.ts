import { NixHash, type PathInfo, parseContentAddress, Signature, StorePath } from "@tvix/store";
import { CliError, EXIT } from "../exit.js";

/** A store path as Nix describes it in JSON. */
export interface DescribedPath {
  readonly storePath: StorePath;
  readonly references: readonly StorePath[];
  readonly narSize: bigint;
  readonly narSha256: Uint8Array;
  readonly signatures: readonly Signature[];
  /** Its name lacks the suffix of derivations, as in a `PathInfo`. */
  readonly deriver: StorePath | undefined;
  readonly contentAddress: PathInfo["contentAddress"];
}

/** Longest document that is read, in bytes. */
export const MAX_PATH_INFO_JSON_BYTES: number = 256 * 1024 * 1024;

const DERIVATION_SUFFIX = ".drv";

/**
 * Reads what `nix path-info --json -r` prints, a list or, since Nix 2.19, an object by path, and what
 * `exportReferencesGraph` writes with structured attributes: a list, also as a value of an object.
 *
 * @param origin - where the document came from, for messages
 * @throws {@link CliError}
 */
export function parsePathInfoJson(text: string, origin: string): readonly DescribedPath[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CliError(EXIT.failed, `cannot read ${origin}: it is not JSON`, { cause });
  }
  return elementsOf(json, origin).map(([fields, path]) => {
    try {
      return parseElement(fields, path);
    } catch (cause) {
      const what = path ?? fields["path"];
      const subject =
        typeof what === "string" ? ` about ${JSON.stringify(what.slice(0, 300))}` : "";
      throw new CliError(EXIT.failed, `cannot read ${origin}${subject}`, { cause });
    }
  });
}

type Fields = Readonly<Record<string, unknown>>;

/** The objects that describe a path, and the path where it is a key. */
function elementsOf(json: unknown, origin: string): readonly (readonly [Fields, string?])[] {
  if (Array.isArray(json)) {
    return json.map((element: unknown) => {
      if (isObject(element)) return [element] as const;
      throw new CliError(EXIT.failed, `cannot read ${origin}: an element is not an object`);
    });
  }
  if (!isObject(json)) throw new CliError(EXIT.failed, `cannot read ${origin}: it is no list`);
  // Some versions wrap the object in another, with the version of the format.
  const info = json["info"];
  if (isObject(info)) return elementsOf(info, origin);
  return Object.entries(json).flatMap(([key, value]) => {
    // Structured attributes hold other things than graphs.
    if (
      Array.isArray(value) &&
      value.some((element) => isObject(element) && "narHash" in element)
    ) {
      return elementsOf(value, origin);
    }
    return isObject(value) && "narHash" in value ? [[value, key] as const] : [];
  });
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseElement(fields: Fields, key?: string): DescribedPath {
  const deriver = optionalText(fields, "deriver");
  const address = optionalText(fields, "ca");
  const narSize = fields["narSize"];
  if (typeof narSize !== "number" || !Number.isSafeInteger(narSize) || narSize <= 0) {
    throw new TypeError("narSize is not a positive number");
  }
  return {
    storePath: parsePath(key ?? text(fields, "path")),
    references: texts(fields, "references").map(parsePath),
    narSize: BigInt(narSize),
    narSha256: NixHash.parse(text(fields, "narHash"), { algorithm: "sha256" }).toBytes(),
    signatures: texts(fields, "signatures").map((signature) => Signature.parse(signature)),
    deriver: deriver === undefined ? undefined : parseDeriver(deriver),
    contentAddress: address === undefined ? undefined : parseContentAddress(address),
  };
}

/** Newer versions of Nix leave out the directory. */
function parsePath(path: string): StorePath {
  return path.startsWith("/") ? StorePath.parseAbsolute(path) : StorePath.parse(path);
}

/** `undefined` for what is no derivation, for which a path info has no place. */
function parseDeriver(path: string): StorePath | undefined {
  if (path === "unknown-deriver") return undefined;
  const deriver = parsePath(path);
  if (!deriver.name.endsWith(DERIVATION_SUFFIX)) return undefined;
  return StorePath.of(deriver.digestBytes(), deriver.name.slice(0, -DERIVATION_SUFFIX.length));
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw new TypeError(`${name} is not a text`);
}

function optionalText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return value === undefined || value === null || value === "" ? undefined : text(fields, name);
}

function texts(fields: Fields, name: string): readonly string[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value) && value.every((element) => typeof element === "string")) return value;
  throw new TypeError(`${name} is not a list of texts`);
}
