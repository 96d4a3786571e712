import { showAddress } from "../address/show-address.js";
import { formatSize, formatTime, parseSize, parseTime } from "../quantities.js";
import type { ServiceKind } from "../service-kind.js";
import { type Field, FieldError, type ServiceReference } from "./field.js";

const HOUR = 3_600_000;
const TIB = 1024 ** 4;

/** A field that may be left out: `undefined` then. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    ...field,
    isOptional: true,
    parse: (value, context) => (value === undefined ? undefined : field.parse(value, context)),
  };
}

/** A field that may be left out, which means the same as `text`. */
export function defaulted<T>(field: Field<T>, text: string): Field<T> {
  return {
    ...field,
    isOptional: true,
    parse: (value, context) => field.parse(value ?? text, context),
  };
}

/** A field with other names, for what others call the same. */
export function alias<T>(field: Field<T>, ...aliases: string[]): Field<T> {
  return { ...field, aliases };
}

/** A field whose value is not shown. Better is a path of a file that holds it. */
export function secret<T>(field: Field<T>): Field<T> {
  return { ...field, isSecret: true };
}

/** Text that is not empty. */
export function text(what = "text, not empty"): Field<string> {
  return checked(what, (value) => (typeof value === "string" && value !== "" ? value : undefined));
}

/** The path of a file or directory; a relative one begins where the composition lies. */
export function path(): Field<string> {
  const isPath = (value: unknown): value is string =>
    typeof value === "string" && value !== "" && !value.includes("\0");
  return {
    isOptional: false,
    parse: (value, context) =>
      isPath(value) ? context.resolvePath(value) : refuseValue("a path", value),
  };
}

/** `true` or `false`, in addresses also `1` and `0`. */
export function flag(): Field<boolean> {
  const known = new Map<unknown, boolean>([
    [true, true],
    ["true", true],
    ["1", true],
    [false, false],
    ["false", false],
    ["0", false],
  ]);
  return checked("true or false", (value) => known.get(value));
}

/** A whole number. */
export function count(min: number, max: number): Field<number> {
  return checked(`a whole number from ${min} to ${max}`, (value) => {
    const isDigits = typeof value === "string" && /^\d{1,15}$/.test(value);
    const number = isDigits ? Number(value) : value;
    const isCount = typeof number === "number" && Number.isSafeInteger(number);
    return isCount && number >= min && number <= max ? number : undefined;
  });
}

/** A time such as `500ms`, `30s` or `5m`; in milliseconds. */
export function time(min = 1, max: number = 24 * HOUR): Field<number> {
  const range = `from ${formatTime(min)} to ${formatTime(max)}`;
  return checked(`a time such as "500ms", "30s" or "5m", ${range}`, (value) =>
    inRange(typeof value === "string" ? parseTime(value) : undefined, min, max),
  );
}

/** A size such as `64MiB`; in bytes. */
export function size(min = 1, max: number = 1024 * TIB): Field<number> {
  const range = `from ${formatSize(min)} to ${formatSize(max)}`;
  return checked(`a size such as "64MiB" or "10GiB", ${range}`, (value) =>
    inRange(typeof value === "string" ? parseSize(value) : undefined, min, max),
  );
}

/** One of some words. */
export function choice<const T extends string>(words: readonly [T, ...T[]]): Field<T> {
  const quoted = words.map((word) => `"${word}"`).join(" or ");
  return checked(quoted, (value) => words.find((word) => word === value));
}

/** A reference to one service. */
export function service<K extends ServiceKind>(kind: K): Field<ServiceReference<K>> {
  return {
    isOptional: false,
    parse: (value, context) =>
      typeof value === "string" && value !== ""
        ? context.reference(kind, value)
        : refuseValue('the name of a service, such as "&name", or an address', value),
  };
}

/** References to several services, at least one; in addresses with spaces between them. */
export function services<K extends ServiceKind>(kind: K): Field<readonly ServiceReference<K>[]> {
  const what = 'a list of services, such as ["&near", "grpc+http://HOST:PORT"], not empty';
  return {
    isOptional: false,
    parse: (value, context) => {
      const names = ranked(value) ?? listOf(value);
      if (names === undefined || names.length === 0) return refuseValue(what, value);
      return names.map((name) => context.reference(kind, name));
    },
  };
}

/** A field of another meaning. @param parse - returns `undefined` for what is none */
export function checked<T>(what: string, parse: (value: unknown) => T | undefined): Field<T> {
  return { isOptional: false, parse: (value) => parse(value) ?? refuseValue(what, value) };
}

function inRange(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/** The texts of a list, or between the spaces of a text; `undefined` for anything else. */
export function listOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return value.split(/\s+/).filter((part) => part !== "");
  if (!Array.isArray(value)) return undefined;
  const list: readonly unknown[] = value;
  const names = list.filter((item) => typeof item === "string" && item !== "");
  return names.length === list.length ? (names as string[]) : undefined;
}

/** `{ "&near" = 1, "&far" = 2 }`, as in snix: names with their ranks, the lowest first. */
function ranked(value: unknown): readonly string[] | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value as Readonly<Record<string, unknown>>);
  const ranks = new Set(entries.map(([, rank]) => rank));
  if (ranks.size < entries.length || !entries.every(([, rank]) => Number.isSafeInteger(rank))) {
    throw new FieldError("must give each service a whole number of its own");
  }
  return entries.sort(([, a], [, b]) => Number(a) - Number(b)).map(([name]) => name);
}

/** The longest value that is shown. */
const MAX_SHOWN = 80;

function refuseValue(what: string, value: unknown): never {
  if (value === undefined) throw new FieldError("is missing");
  const shown =
    typeof value === "string" ? showAddress(value) : (JSON.stringify(value) ?? String(value));
  const short = shown.length <= MAX_SHOWN ? shown : `${shown.slice(0, MAX_SHOWN)}...`;
  throw new FieldError(`must be ${what}, but it is ${short}`);
}
