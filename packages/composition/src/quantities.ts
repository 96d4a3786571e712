const TIME_UNITS: readonly (readonly [unit: string, milliseconds: number])[] = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

const SIZE_UNITS: readonly (readonly [unit: string, bytes: number])[] = [
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
  ["B", 1],
];

/** Milliseconds of `500ms`, `30s`, `5m` or `1h`; `undefined` for anything else. */
export function parseTime(text: string): number | undefined {
  return parse(text, TIME_UNITS);
}

/** Bytes of `65536B`, `256KiB`, `4MiB` or `1GiB`; `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  return parse(text, SIZE_UNITS);
}

/** The shortest text that {@link parseTime} reads back. */
export function formatTime(milliseconds: number): string {
  return format(milliseconds, TIME_UNITS);
}

/** The shortest text that {@link parseSize} reads back. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS);
}

type Units = readonly (readonly [unit: string, factor: number])[];

function parse(text: string, units: Units): number | undefined {
  const [, digits, unit] = /^(\d{1,15})([A-Za-z]+)$/.exec(text) ?? [];
  const factor = units.find(([name]) => name === unit)?.[1];
  if (factor === undefined) return undefined;
  const value = Number(digits) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}

function format(value: number, units: Units): string {
  const [unit, factor] = units.find(([, size]) => value > 0 && value % size === 0) ?? ["", 1];
  return `${value / factor}${unit === "" ? (units.at(-1)?.[0] ?? "") : unit}`;
}
