import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { ConfigError } from "./config-error.js";
import { KEYS, SETTING_KEYS } from "./keys.js";
import { checkLayer, type Layer, type Suggest } from "./layer.js";
import { unreadable } from "./unreadable.js";

/** Far more than all keys with all their comments. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * What a TOML file says. Paths in it are relative to where it lies.
 *
 * @throws {@link ConfigError} when it cannot be read or is not TOML
 */
export function readFileLayer(file: string, suggest: Suggest): Layer {
  const text = readText(file);
  const { values, emptyTables } = flatten(parseToml(text, file));
  const place = (key: string): string => {
    const line = lineOf(text, key);
    return line === undefined ? file : `${file}:${line}`;
  };
  const layer = checkLayer(resolvePaths(values, dirname(resolve(file))), {
    subject: (key) => `${place(key)}: ${key}`,
    origin: place,
    suggest,
  });
  const strayTables = emptyTables.filter((name) => !isTable(name));
  const problems = strayTables.map((name) => `${place(name)}: [${name}] is not a table`);
  return { ...layer, problems: [...layer.problems, ...problems] };
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.byteLength > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ConfigError([unreadable(file, error)], { cause: error });
  }
}

function parseToml(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ""] = error.message.split("\n");
    const reason = first.replace(/^Invalid TOML document: /, "");
    throw new ConfigError([`${file}:${error.line}:${error.column}: not TOML: ${reason}`], {
      cause: error,
    });
  }
}

/** `{ tls: { cert } }` as `{ "tls.cert" }`. There are no tables inside tables. */
function flatten(document: Readonly<Record<string, unknown>>): {
  values: Record<string, unknown>;
  emptyTables: string[];
} {
  const entries: [string, unknown][] = [];
  const emptyTables: string[] = [];
  for (const [name, value] of Object.entries(document)) {
    const inner = isPlainTable(value) ? Object.entries(value) : undefined;
    if (inner === undefined) entries.push([name, value]);
    else if (inner.length === 0) emptyTables.push(name);
    else entries.push(...inner.map(([key, part]) => [`${name}.${key}`, part] as [string, unknown]));
  }
  return { values: Object.fromEntries(entries), emptyTables };
}

function isPlainTable(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

function isTable(name: string): boolean {
  return SETTING_KEYS.some((key) => key.startsWith(`${name}.`));
}

function resolvePaths(
  values: Readonly<Record<string, unknown>>,
  directory: string,
): Record<string, unknown> {
  const resolved: Record<string, unknown> = { ...values };
  for (const key of SETTING_KEYS) {
    const value = values[key];
    if (KEYS[key].kind === "path" && typeof value === "string" && value !== "") {
      resolved[key] = resolve(directory, value);
    }
  }
  return resolved;
}

/**
 * The line on which a key or a table is written, from 1. The parser does not tell; this knows the
 * ways in which our keys are usually written.
 */
function lineOf(text: string, key: string): number | undefined {
  let table = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[\s*([\w.-]+)\s*\]/.exec(line)?.[1];
    if (header !== undefined) table = header;
    const name = /^\s*([\w.-]+)\s*=/.exec(line)?.[1];
    const full = table === "" || name === undefined ? name : `${table}.${name}`;
    const found = full ?? header;
    if (found === key || (full !== undefined && key.startsWith(`${full}.`))) return index + 1;
  }
  return undefined;
}
