/**
 * The options of `tvix daemon`, for a command line to declare: loads nothing else of the daemon.
 *
 * @module
 */
import { KEYS, SETTING_KEYS } from "./config/keys.js";
import { flagOf } from "./config/names.js";

/** One option of the command line. */
export interface DaemonOption {
  /** Without the dashes. */
  readonly name: string;
  /** Placeholder of its value; a switch has none. */
  readonly value?: string;
  readonly completes?: "file" | "directory";
  /** Given several times, its values add up, with commas between them. */
  readonly repeats?: boolean;
  /** One sentence without a final period. */
  readonly summary: string;
}

/** The option of every setting but the data directory, which is an option of every command. */
export const DAEMON_OPTIONS: readonly DaemonOption[] = SETTING_KEYS.filter(
  (key) => key !== "data-dir",
).map((key) => {
  const { kind, value, summary } = KEYS[key];
  return {
    name: flagOf(key),
    ...(value === undefined ? {} : { value }),
    ...(kind === "list" || kind === "paths" ? { repeats: true } : {}),
    ...(kind === "path" || kind === "paths" ? { completes: "file" as const } : {}),
    summary,
  };
});
