import { writeSync } from "node:fs";
import type { LogFormat, LogLevel } from "../config/settings.js";
import { type LineLevel, type LogFields, type Logger, printable } from "./logger.js";

/** Writes one line of the log. */
type WriteLine = (level: LineLevel, message: string, fields: LogFields) => void;

/** Where a log goes. */
export interface LogTarget {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Descriptor of the file; 2 is standard error. */
  readonly fd: number;
  readonly isTerminal: boolean;
  /** Writes one line of text; used unless the lines are JSON. */
  readonly writeText: (line: string) => void;
}

const SEVERITY = { debug: 0, info: 1, warn: 2, error: 3, off: 4 } as const;

/** Opens the log. The library that writes JSON is loaded only when that is what is written. */
export async function createLogger(target: LogTarget): Promise<Logger> {
  const format = target.format === "auto" ? (target.isTerminal ? "text" : "json") : target.format;
  const write = format === "text" ? textWriter(target.writeText) : await jsonWriter(target);
  const least = SEVERITY[target.level];
  const at =
    (level: LineLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (SEVERITY[level] >= least) write(level, message, fields);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    always: (message, fields = {}) => write("info", message, fields),
  };
}

async function jsonWriter({ level, fd }: LogTarget): Promise<WriteLine> {
  if (level === "off") return bareJsonWriter(fd);
  const { pino } = await import("pino");
  const log = pino(
    {
      base: null,
      level: "debug",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // Lines that are held back would be lost in a crash, when they are needed most.
    pino.destination({ fd, sync: true }),
  );
  return (level, message, fields) => log[level](clean(fields), printable(message));
}

/** For the one line of a log that is off: no library is loaded for that. */
function bareJsonWriter(fd: number): WriteLine {
  return (level, message, fields) => {
    const line = { level, time: new Date().toISOString(), ...clean(fields), msg: message };
    writeSync(fd, `${JSON.stringify(line)}\n`);
  };
}

function textWriter(writeText: (line: string) => void): WriteLine {
  return (level, message, fields) => {
    const time = new Date().toTimeString().slice(0, "hh:mm:ss".length);
    const rest = Object.entries(clean(fields)).map(([name, value]) => ` ${name}=${show(value)}`);
    writeText(`${time} ${level.padEnd("error".length)} ${printable(message)}${rest.join("")}`);
  };
}

/** Without what is not set, and printable. */
function clean(fields: LogFields): LogFields {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, cleanValue(value)]));
}

function cleanValue(value: LogFields[string]): LogFields[string] {
  if (typeof value === "string") return printable(value);
  return typeof value === "object" ? value.map(printable) : value;
}

/** As it is where that is one word, else in quotes. */
function show(value: LogFields[string]): string {
  const text = typeof value === "object" ? value.join(",") : String(value);
  return /^[^\s"=]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}
