import { dirname, resolve } from "node:path";
import { CompositionError } from "../composition-error.js";
import type { BackendRegistry } from "../registry/backend-registry.js";
import { SERVICE_KINDS, TABLE_OF_KIND } from "../service-kind.js";
import type { CompositionDocument, WrittenService } from "./composition-document.js";
import { readShortForm } from "./short-form.js";
import { SHORT_FORM_TABLES } from "./short-tables.js";
import { isTable, parseTomlSource, placeIn, type TomlSource } from "./toml-source.js";

/**
 * Reads a composition from TOML: either tables of services, as tvix and snix have them, or the short form. Whether
 * there are such backends is checked by the planner.
 *
 * @param file - where `text` comes from: messages name it, and relative paths begin beside it
 * @throws {@link CompositionError} with everything that is wrong, each with file, line and table
 */
export function parseComposition(
  text: string,
  file: string,
  registry: BackendRegistry,
): CompositionDocument {
  const source = parseTomlSource(text, file);
  const tables = Object.keys(source.document);
  const kinds: readonly string[] = Object.values(TABLE_OF_KIND);
  const unknown = tables.filter(
    (name) => !kinds.includes(name) && !SHORT_FORM_TABLES.includes(name),
  );
  const problems = unknown.map(
    (name) =>
      `${placeIn(source, name)}: ${JSON.stringify(name)} is no table of a composition: there are ${[...kinds, ...SHORT_FORM_TABLES].join(", ")}`,
  );
  const full = tables.filter((name) => kinds.includes(name));
  const short = tables.filter((name) => SHORT_FORM_TABLES.includes(name));
  if (full.length > 0 && short.length > 0) {
    problems.push(
      `${placeIn(source, short[0] ?? "")}: [${short[0]}] is of the short form, which cannot stand beside [${full[0]}.*]`,
    );
  }
  if (problems.length > 0) throw new CompositionError("invalid", problems);
  return short.length > 0 ? readShortForm(source, registry) : readFullForm(source);
}

function readFullForm(source: TomlSource): CompositionDocument {
  const problems: string[] = [];
  const [blobs, directories, pathInfos] = SERVICE_KINDS.map((kind) =>
    readKind(source, TABLE_OF_KIND[kind], problems),
  );
  if (problems.length > 0) throw new CompositionError("invalid", problems);
  return {
    blobs: blobs ?? new Map(),
    directories: directories ?? new Map(),
    pathInfos: pathInfos ?? new Map(),
    origin: source.file,
    directory: dirname(resolve(source.file)),
  };
}

function readKind(
  source: TomlSource,
  tableName: string,
  problems: string[],
): ReadonlyMap<string, WrittenService> {
  const tables = source.document[tableName];
  if (tables === undefined) return new Map();
  if (!isTable(tables)) {
    problems.push(
      `${placeIn(source, tableName)}: ${tableName} must hold tables, such as [${tableName}.root]`,
    );
    return new Map();
  }
  const written = Object.entries(tables).flatMap(([name, table]) => {
    const service = readService(source, `${tableName}.${name}`, table, problems);
    return service === undefined ? [] : [[name, service] as const];
  });
  return new Map(written);
}

function readService(
  source: TomlSource,
  path: string,
  table: unknown,
  problems: string[],
): WrittenService | undefined {
  const place = `${placeIn(source, path)}: [${path}]`;
  const placeOf = (key: string): string => `${placeIn(source, path, key)}: [${path}] ${key}`;
  if (!isTable(table)) {
    problems.push(`${place} must be a table with a type`);
    return undefined;
  }
  const { type, ...values } = table;
  if (typeof type !== "string") {
    problems.push(`${placeOf("type")} ${type === undefined ? "is missing" : "must be text"}`);
    return undefined;
  }
  return { place, placeOf, type, values };
}
