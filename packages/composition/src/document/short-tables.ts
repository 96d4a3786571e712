import { isTable, placeIn, type Table, type TomlSource } from "./toml-source.js";

/** The tables of the short form. */
export const SHORT_FORM_TABLES: readonly string[] = ["store", "cache", "upstreams"];

/** The keys of each. What values they take is said by the fields that they become. */
const KEYS = {
  store: ["address"],
  cache: ["dir", "size"],
  upstreams: ["url", "keys", "accept-unsigned", "token-file"],
} as const;

/** One table of the short form. */
export interface ShortTable {
  /** `store.toml:3: [cache]`. */
  readonly place: string;
  placeOf(key: string): string;
  readonly values: Table;
}

/** What a short form says. */
export interface ShortForm {
  readonly store: ShortTable | undefined;
  readonly cache: ShortTable | undefined;
  readonly upstreams: readonly ShortTable[];
}

/** Takes a short form apart, and says in `problems` what has no place in it. */
export function shortTables(source: TomlSource, problems: string[]): ShortForm {
  const { store, cache, upstreams } = source.document;
  return {
    store: store === undefined ? undefined : one(source, "store", store, problems),
    cache: cache === undefined ? undefined : one(source, "cache", cache, problems),
    upstreams: many(source, upstreams, problems),
  };
}

function one(
  source: TomlSource,
  name: "store" | "cache",
  value: unknown,
  problems: string[],
): ShortTable | undefined {
  if (isTable(value)) return read(source, value, { name, path: name, keys: KEYS[name] }, problems);
  problems.push(`${placeIn(source, name)}: ${name} must be a table: [${name}]`);
  return undefined;
}

function many(source: TomlSource, value: unknown, problems: string[]): readonly ShortTable[] {
  if (value === undefined) return [];
  const tables: readonly unknown[] = Array.isArray(value) ? value : [undefined];
  if (!tables.every(isTable)) {
    problems.push(
      `${placeIn(source, "upstreams")}: upstreams must be a list of tables: [[upstreams]]`,
    );
    return [];
  }
  return tables.map((table, index) => {
    const path = `upstreams[${index}]`;
    return read(source, table, { name: path, path, keys: KEYS.upstreams }, problems);
  });
}

function read(
  source: TomlSource,
  values: Table,
  { name, path, keys }: { name: string; path: string; keys: readonly string[] },
  problems: string[],
): ShortTable {
  const placeOf = (key: string): string => `${placeIn(source, path, key)}: [${name}] ${key}`;
  for (const key of Object.keys(values)) {
    if (!keys.includes(key)) {
      problems.push(`${placeOf(key)} is no key here: there are ${keys.join(", ")}`);
    }
  }
  return { place: `${placeIn(source, path)}: [${name}]`, placeOf, values };
}
