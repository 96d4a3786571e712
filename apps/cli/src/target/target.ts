import { B3Digest, CastoreError, Path } from "@tvix/castore";
import {
  decodeNixBase32,
  nixBase32Length,
  STORE_DIR,
  STORE_PATH_DIGEST_LENGTH,
  StoreError,
  StorePath,
} from "@tvix/store";
import { quote } from "../args/quote.js";
import { wordBytes } from "../args/raw-words.js";
import { UsageError } from "../exit.js";
import { messageOf } from "../failure.js";

/** A place in the store, as it was typed. */
export type Target = StorePathTarget | DigestTarget;

/** Something in a store path. */
export interface StorePathTarget {
  readonly kind: "store-path";
  /** The 20 bytes of the store path's digest. */
  readonly outputHash: Uint8Array;
  /** Name of the store path; `undefined` where only the hash was typed. */
  readonly name: string | undefined;
  /** What was typed for the store path. */
  readonly text: string;
  /** Where below it. */
  readonly path: Path;
}

/** Something in the directory, or the file, with a digest. */
export interface DigestTarget {
  readonly kind: "digest";
  readonly digest: B3Digest;
  readonly path: Path;
}

const STORE_PREFIX = `${STORE_DIR}/`;
const HASH = new RegExp(`^[0-9a-z]{${nixBase32Length(STORE_PATH_DIGEST_LENGTH)}}$`);
const BASE_NAME = new RegExp(`^[0-9a-z]{${nixBase32Length(STORE_PATH_DIGEST_LENGTH)}}-`);
/** Base64 may hold slashes, but its length is fixed. */
const DIGEST = /^(?:(?:b3:|blake3-)[0-9A-Za-z+/]{43}=|[0-9A-Fa-f]{64})(?=\/|$)/;

/**
 * Reads `TARGET[/PATH] [PATH]`: a store path, whole, as a base name or as its hash alone, or a BLAKE3
 * digest; with a path inside behind it, as an argument of its own, or both.
 *
 * @throws {@link UsageError} that says what was expected
 */
export function parseTarget(text: string, inner = ""): Target {
  const digest = DIGEST.exec(text)?.[0];
  if (digest !== undefined) {
    const path = parseInner(`${text.slice(digest.length)}/${inner}`);
    return { kind: "digest", digest: readAs(text, () => B3Digest.parse(digest)), path };
  }
  const rest = text.startsWith(STORE_PREFIX) ? text.slice(STORE_PREFIX.length) : text;
  const slash = rest.indexOf("/");
  const base = slash === -1 ? rest : rest.slice(0, slash);
  const path = parseInner(`${slash === -1 ? "" : rest.slice(slash)}/${inner}`);
  if (HASH.test(base)) {
    const outputHash = readAs(text, () => decodeNixBase32(base));
    return { kind: "store-path", outputHash, name: undefined, text: base, path };
  }
  if (!BASE_NAME.test(base) && rest === text) throw notATarget(text);
  const storePath = readAs(text, () => StorePath.parse(wordBytes(base)));
  const { name } = storePath;
  return { kind: "store-path", outputHash: storePath.digestBytes(), name, text: base, path };
}

/** Whether `text` is spelled as a place in the store, rightly or not, and not as a file on disk. */
export function looksLikeTarget(text: string): boolean {
  const base = text.split("/", 1)[0] ?? "";
  return (
    text.startsWith(STORE_PREFIX) || DIGEST.test(text) || HASH.test(base) || BASE_NAME.test(base)
  );
}

/** Extra slashes and `.` are harmless in what people type; `..` leads out and is refused. */
function parseInner(text: string): Path {
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  return readAs(text, () => Path.fromBytes(wordBytes(parts.join("/"))));
}

function readAs<T>(text: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!CastoreError.is(error) && !StoreError.is(error)) throw error;
    throw new UsageError(`cannot understand ${quote(text)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function notATarget(text: string): UsageError {
  return new UsageError(
    `${quote(text)} is neither a store path (${STORE_DIR}/HASH-NAME, HASH-NAME or HASH) nor a digest (b3:BASE64 or 64 hexadecimal digits); what is on disk has to be imported first: tvix import`,
  );
}
