import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { ConfigError } from "../config/config-error.js";
import { unreadable } from "../config/unreadable.js";
import { hashToken, type TokenEntry, type TokenScope, TokenSet } from "./token-set.js";

/** Enough for ten thousand tokens. */
const MAX_FILE_BYTES = 1024 * 1024;

/** Each call compares with every token. */
const MAX_TOKENS = 10_000;

/** 16 characters of base64 are 96 bits: nobody guesses that over a network. */
const MIN_TOKEN_LENGTH = 16;
const MAX_TOKEN_LENGTH = 512;

/** Permissions of others than the owner: whoever reads the file has the tokens. */
const FOREIGN_READ = 0o044;

/** What a token file holds, and what is to be said about it. */
export interface LoadedTokens {
  readonly tokens: TokenSet;
  readonly warnings: readonly string[];
}

/**
 * Reads a token file: one token on each line, empty lines and those that begin with `#` aside.
 *
 *     NAME  SCOPE       TOKEN
 *     ci    write       sha256:9f86d081884c7d65...
 *     web   read        AbCdEf0123456789AbCd
 *
 * NAME tells tokens apart in logs: letters, digits and `._-`, at most 64. SCOPE is `read` or `write`, which
 * includes reading. TOKEN is the token itself, of the characters that RFC 6750 allows, or `sha256:` and the
 * SHA-256 of it in 64 hexadecimal digits, so that the file alone opens nothing.
 *
 * @throws {@link ConfigError} with every broken line; never with a token
 */
export function readTokenFile(file: string): LoadedTokens {
  const { text, mode } = readText(file);
  const { entries, problems } = parseTokens(text, file);
  if (problems.length > 0) throw new ConfigError(problems);
  const isOpen = (mode & FOREIGN_READ) !== 0 && process.platform !== "win32";
  const warnings = isOpen ? [`${file} can be read by other users: chmod 600 ends that`] : [];
  return { tokens: new TokenSet(entries), warnings };
}

function readText(file: string): { text: string; mode: number } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const { size, mode } = fstatSync(descriptor);
    if (size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    return { text: readFileSync(descriptor, "utf8"), mode };
  } catch (error) {
    throw new ConfigError([unreadable(file, error)], { cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function parseTokens(
  text: string,
  file: string,
): { entries: readonly TokenEntry[]; problems: readonly string[] } {
  const entries: TokenEntry[] = [];
  const problems: string[] = [];
  const linesByKey = new Map<string, number>();
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const parsed = parseLine(line);
    const problem = typeof parsed === "string" ? parsed : repeats(parsed, linesByKey, index + 1);
    if (typeof parsed !== "string") entries.push(parsed);
    if (problem !== undefined) problems.push(`${file}:${index + 1}: ${problem}`);
  }
  if (entries.length > MAX_TOKENS) problems.push(`${file}: more than ${MAX_TOKENS} tokens`);
  if (entries.length === 0 && problems.length === 0) problems.push(`${file}: there is no token`);
  return { entries, problems };
}

/** An entry, or what is wrong with the line. */
function parseLine(line: string): TokenEntry | string {
  const [name = "", scope = "", token = "", ...rest] = line.split(/\s+/);
  if (token === "" || rest.length > 0) return "a line is NAME SCOPE TOKEN";
  if (!/^[\w.-]{1,64}$/.test(name)) {
    return "a name is 1 to 64 letters, digits, dots, hyphens and underscores";
  }
  if (!isScope(scope)) return 'the scope must be "read" or "write"';
  const sha256 = parseToken(token);
  return typeof sha256 === "string" ? sha256 : { name, scope, sha256 };
}

function isScope(text: string): text is TokenScope {
  return text === "read" || text === "write";
}

/** The hash of a token, or what is wrong with it. */
function parseToken(token: string): Uint8Array | string {
  if (token.startsWith("sha256:")) {
    const hex = token.slice("sha256:".length);
    return /^[0-9a-fA-F]{64}$/.test(hex)
      ? new Uint8Array(Buffer.from(hex, "hex"))
      : "sha256: is followed by 64 hexadecimal digits";
  }
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    return "a token has only letters, digits and -._~+/, and = at its end";
  }
  return token.length >= MIN_TOKEN_LENGTH && token.length <= MAX_TOKEN_LENGTH
    ? hashToken(token)
    : `a token has ${MIN_TOKEN_LENGTH} to ${MAX_TOKEN_LENGTH} characters`;
}

/** A name or a token that was there before would make it unclear who has what. */
function repeats(
  { name, sha256 }: TokenEntry,
  linesByKey: Map<string, number>,
  line: number,
): string | undefined {
  for (const [what, key] of [
    ["name", `name ${name}`],
    ["token", Buffer.from(sha256).toString("hex")],
  ] as const) {
    const earlier = linesByKey.get(key);
    if (earlier !== undefined) return `the ${what} is that of line ${earlier}`;
    linesByKey.set(key, line);
  }
  return undefined;
}
