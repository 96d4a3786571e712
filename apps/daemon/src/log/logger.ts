/** What a line of the log says besides its message. Values are text, numbers and lists of text. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** Takes what happens. Lines below the level of the log cost a comparison. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Written at every level, "off" included: that the daemon is ready. */
  always(message: string, fields?: LogFields): void;
}

/** How severe a line is. */
export type LineLevel = "debug" | "info" | "warn" | "error";

/** The longest text of a field; what peers send can be longer. */
const MAX_TEXT = 500;

/**
 * Text for a log: what could drive a terminal, break a line or turn its direction around is escaped,
 * and too long a text is cut.
 */
export function printable(text: string): string {
  const cut = text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}...`;
  return cut.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return `\\u{${hex}}`;
  });
}

/** An error as text: its message, and those of the causes that say more. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let text = error.message === "" ? error.name : error.message;
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (!text.includes(cause.message)) text += `: ${cause.message}`;
  }
  return text;
}
