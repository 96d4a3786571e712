import { parse, TomlError } from "smol-toml";
import { CompositionError } from "../composition-error.js";
import { TomlLines } from "./toml-lines.js";

/** A table of TOML. */
export type Table = Readonly<Record<string, unknown>>;

/** A file of TOML that was parsed. */
export interface TomlSource {
  readonly file: string;
  readonly document: Table;
  readonly lines: TomlLines;
}

/** @throws {@link CompositionError} when it is not TOML */
export function parseTomlSource(text: string, file: string): TomlSource {
  try {
    return { file, document: parse(text), lines: new TomlLines(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ""] = error.message.split("\n");
    const reason = first.replace(/^Invalid TOML document: /, "");
    const problem = `${file}:${error.line}:${error.column}: not TOML: ${reason}`;
    throw new CompositionError("invalid", [problem], { cause: error });
  }
}

/** `store.toml:4`, or the file alone where the line is not known. */
export function placeIn({ file, lines }: TomlSource, path: string, key?: string): string {
  const line = lines.of(path, key);
  return line === undefined ? file : `${file}:${line}`;
}

/** Whether a value of TOML is a table. */
export function isTable(value: unknown): value is Table {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}
