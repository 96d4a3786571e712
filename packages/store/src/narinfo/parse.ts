import { escapeBytes, toLatin1, toUtf8 } from "@tvix/castore";
import { type ContentAddress, parseContentAddress } from "../content-address.js";
import { StoreError } from "../errors.js";
import { NixHash } from "../nix-hash.js";
import { MAX_NAR_SIZE } from "../path-info.js";
import { InvalidKeyError } from "../signature/key-text.js";
import { Signature } from "../signature/signature.js";
import { sortedStorePaths } from "../store-path/sorted.js";
import { StorePath } from "../store-path/store-path.js";
import { narUrlProblem } from "./nar-url.js";
import {
  InvalidNarinfoError,
  type InvalidNarinfoReason,
  MAX_NARINFO_BYTES,
  MAX_NARINFO_SIGNATURES,
  type Narinfo,
} from "./narinfo.js";

/**
 * Reads a narinfo.
 *
 * Taken and refused is what Nix takes and refuses, but for this: a key that occurs twice (Nix
 * believes the last one), a URL that leads elsewhere, a hash of the NAR other than SHA-256, and control
 * characters are refused too. As in Nix, a signature that is none is left out, since it proves
 * nothing, and references are a set.
 *
 * @throws {@link InvalidNarinfoError}
 */
export function parseNarinfo(text: string | Uint8Array): Narinfo {
  const fields = splitLines(text);
  return {
    storePath: fields.need("StorePath", "store-path", (value) => StorePath.parseAbsolute(value)),
    url: fields.need("URL", "url", parseUrl),
    compression: fields.optional("Compression", "compression", parseCompression) ?? "bzip2",
    fileHash: fields.optional("FileHash", "file-hash", (value) => NixHash.parse(value)),
    fileSize: fields.optional("FileSize", "file-size", parseSize),
    narSha256: fields.need("NarHash", "nar-hash", parseNarHash),
    narSize: fields.need("NarSize", "nar-size", parseNarSize),
    references: fields.optional("References", "references", parseReferences) ?? [],
    deriver: fields.optional("Deriver", "deriver", parseDeriver),
    system: fields.optional("System", "system", parseSystem),
    signatures: fields.signatures,
    contentAddress: fields.optional("CA", "content-address", parseOptionalContentAddress),
  };
}

/** The keys that have a meaning, and may occur once. */
const KEYS = [
  "StorePath",
  "URL",
  "Compression",
  "FileHash",
  "FileSize",
  "NarHash",
  "NarSize",
  "References",
  "Deriver",
  "System",
  "CA",
] as const;

type Key = (typeof KEYS)[number];

const KNOWN: ReadonlySet<string> = new Set(KEYS);

function isKey(key: string): key is Key {
  return KNOWN.has(key);
}

/** The lines of a narinfo by key, not yet understood. */
class Fields {
  readonly signatures: Signature[] = [];
  readonly #values = new Map<Key, { readonly value: string; readonly line: number }>();

  add(key: string, value: string, line: number): void {
    if (!isKey(key)) return;
    if (this.#values.has(key)) {
      throw new InvalidNarinfoError("duplicate-key", `there is a second ${key}`, { line, key });
    }
    this.#values.set(key, { value, line });
  }

  addSignature(value: string, line: number): void {
    if (this.signatures.length === MAX_NARINFO_SIGNATURES) {
      const why = `there are more than ${MAX_NARINFO_SIGNATURES} signatures`;
      throw new InvalidNarinfoError("too-many-signatures", why, { line, key: "Sig" });
    }
    try {
      this.signatures.push(Signature.parse(value));
    } catch (error) {
      if (!(error instanceof InvalidKeyError)) throw error;
    }
  }

  optional<T>(key: Key, reason: InvalidNarinfoReason, parse: (value: string) => T): T | undefined {
    const field = this.#values.get(key);
    return field && understand({ ...field, key }, reason, parse);
  }

  need<T>(key: Key, reason: InvalidNarinfoReason, parse: (value: string) => T): T {
    const field = this.#values.get(key);
    if (field !== undefined) return understand({ ...field, key }, reason, parse);
    throw new InvalidNarinfoError("missing-key", `there is no ${key}`, { key });
  }
}

function understand<T>(
  { key, value, line }: { readonly key: Key; readonly value: string; readonly line: number },
  reason: InvalidNarinfoReason,
  parse: (value: string) => T,
): T {
  try {
    return parse(value);
  } catch (cause) {
    if (!StoreError.is(cause)) throw cause;
    const why = `${key} is wrong: ${cause.message}`;
    throw new InvalidNarinfoError(reason, why, { cause, line, key });
  }
}

function splitLines(input: string | Uint8Array): Fields {
  const { length } = input;
  if (length > MAX_NARINFO_BYTES) {
    const why = `it is ${length} bytes long, more than ${MAX_NARINFO_BYTES}`;
    throw new InvalidNarinfoError("too-large", why);
  }
  // One character a byte: all that has a meaning is ASCII.
  const text = typeof input === "string" ? input : toLatin1(input);
  const lines = text.split("\n");
  if (lines.pop() !== "") {
    const why = "there is no line break at its end";
    throw new InvalidNarinfoError("no-final-newline", why, { line: lines.length + 1 });
  }
  const fields = new Fields();
  lines.forEach((content, i) => {
    addLine(fields, content, i + 1);
  });
  return fields;
}

function addLine(fields: Fields, content: string, line: number): void {
  const end = content.indexOf(": ");
  // Nix splits at the first colon, and takes the character after it for a space.
  if (end === -1 || content.indexOf(":") !== end) {
    const shown = escapeBytes(toUtf8(content.slice(0, 100)));
    throw new InvalidNarinfoError("line", `expected "key: value", got "${shown}"`, { line });
  }
  const key = content.slice(0, end);
  const value = content.slice(end + ": ".length);
  if (key === "Sig") fields.addSignature(value, line);
  else fields.add(key, value, line);
}

function parseUrl(value: string): string {
  const problem = narUrlProblem(value);
  if (problem !== undefined) throw refusal(problem);
  return value;
}

function parseCompression(value: string): string | undefined {
  if (value === "") return undefined;
  if (!isCompressionName(value)) throw refusal("it is not the name of a compression");
  return value;
}

/** Whether that could be a name of a compression. @internal */
export function isCompressionName(text: string): boolean {
  return /^[0-9a-z-]{1,32}$/.test(text);
}

function parseNarHash(value: string): Uint8Array {
  const hash = NixHash.parse(value);
  if (hash.algorithm !== "sha256") throw refusal("only SHA-256 of a NAR is supported");
  return hash.toBytes();
}

function parseSize(value: string): bigint {
  if (!/^[0-9]{1,20}$/.test(value)) throw refusal("it is not a number of bytes");
  const size = BigInt(value);
  if (size > MAX_NAR_SIZE) throw refusal("it is more than 2^63-1 bytes");
  return size;
}

function parseNarSize(value: string): bigint {
  const size = parseSize(value);
  if (size === 0n) throw refusal("no NAR is empty");
  return size;
}

function parseReferences(value: string): readonly StorePath[] {
  const names = value.split(" ").filter((name) => name !== "");
  return sortedStorePaths(names.map((name) => StorePath.parse(name)));
}

function parseDeriver(value: string): StorePath | undefined {
  return value === "unknown-deriver" ? undefined : StorePath.parse(value);
}

function parseSystem(value: string): string | undefined {
  if (value === "") return undefined;
  if (!isSystemName(value)) throw refusal("it has other characters than those of ASCII");
  return value;
}

/** Whether that could be a name of a system. @internal */
export function isSystemName(text: string): boolean {
  return /^[ -~]{1,255}$/.test(text);
}

function parseOptionalContentAddress(value: string): ContentAddress | undefined {
  return value === "" ? undefined : parseContentAddress(value);
}

function refusal(why: string): StoreError {
  return new StoreError("INVALID_ARGUMENT", why);
}
