import { InvalidNameError, PathComponent, toUtf8 } from "@tvix/castore";
import { CacheRefusal } from "../refusal.js";
import { percentDecode, percentEncode } from "./percent.js";

/** What the raw path of a request to `/serve/` names. */
export interface ServedPath {
  /** The digest of the store path, in nixbase32. */
  readonly hash: string;
  /** Name of the store path, where it is given. */
  readonly name: string | undefined;
  /** The way from the store path. */
  readonly names: readonly PathComponent[];
  /** Whether a slash is at its end, as there is for directories. */
  readonly hasSlash: boolean;
}

/** Longest way, decoded, as on Linux. */
const MAX_PATH_BYTES = 4096;

/**
 * @param rest - what follows the store path, empty or from its first slash
 * @throws {@link CacheRefusal} with 404 for what can name nothing
 */
export function parseServedPath(
  hash: string,
  nameText: string | undefined,
  rest: string,
): ServedPath {
  const name = nameText === undefined ? undefined : latin1(decoded(nameText));
  const parts = rest.split("/").slice(1);
  const hasSlash = parts.at(-1) === "";
  if (hasSlash) parts.pop();
  const names = parts.map((part) => parseName(decoded(part)));
  const length = names.reduce((sum, component) => sum + component.byteLength + 1, 0);
  if (length > MAX_PATH_BYTES) throw new CacheRefusal(404, "the path is too long");
  return { hash, name, names, hasSlash };
}

/** A relative reference from the URL of a request to a place below `/serve/`. */
export function servedReference(
  { names: { length }, hasSlash }: ServedPath,
  baseName: string,
  target: readonly PathComponent[],
  isDirectory: boolean,
): string {
  // The URL of the request is that many levels below /serve/.
  const levels = length + (hasSlash ? 1 : 0);
  const up = levels === 0 ? "./" : "../".repeat(levels);
  const names = [toUtf8(baseName), ...target.map((name) => name.toBytes())];
  const down = names.map(percentEncode).join("/");
  return `${up}${down}${isDirectory ? "/" : ""}`;
}

function decoded(part: string): Uint8Array {
  const bytes = percentDecode(part);
  if (bytes === undefined) throw new CacheRefusal(404, "the path is not encoded as URLs are");
  return bytes;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function parseName(bytes: Uint8Array): PathComponent {
  try {
    return PathComponent.fromBytes(bytes);
  } catch (cause) {
    if (!(cause instanceof InvalidNameError)) throw cause;
    throw new CacheRefusal(404, "no file can have such a name", {}, { cause });
  }
}
