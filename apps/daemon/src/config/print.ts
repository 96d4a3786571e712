import { formatSize, formatTime } from "@tvix/composition";
import { stringify } from "smol-toml";
import { KEYS, type KeySpec, SETTING_KEYS } from "./keys.js";
import { formatListenAddress } from "./listen-address.js";
import type { LoadedSettings } from "./load.js";
import type { SettingKey, Settings } from "./settings.js";

/**
 * The settings as a file that would set them, with a comment on each line that says where the value
 * comes from. No secrets: keys and tokens are only ever named by their files.
 */
export function printSettings({ settings, origins }: LoadedSettings): string {
  const lines: string[] = [];
  let table = "";
  for (const key of SETTING_KEYS) {
    const [name, itsTable] = key.split(".").reverse();
    if (itsTable !== undefined && itsTable !== table) {
      lines.push("", `[${itsTable}]`);
      table = itsTable;
    }
    lines.push(printKey(name ?? key, fileValue(key, settings), origins.get(key) ?? "default"));
  }
  return `${lines.join("\n")}\n`;
}

function printKey(name: string, value: FileValue | undefined, origin: string): string {
  if (value === undefined) return `# ${name} is not set`;
  return `${stringify({ [name]: value }).trimEnd()} # ${origin.replaceAll(/\p{Cc}/gu, "?")}`;
}

type FileValue = string | number | boolean | string[];

/** A value as a file has it. */
function fileValue(key: SettingKey, settings: Settings): FileValue | undefined {
  const value = settings[key];
  if (typeof value === "number") return printNumber(KEYS[key].kind, value);
  if (typeof value !== "object") return value;
  if (value.length === 0) return ["none"];
  return value.map((item) => (typeof item === "string" ? item : formatListenAddress(item)));
}

function printNumber(kind: KeySpec["kind"], value: number): string | number {
  if (kind === "time") return formatTime(value);
  return kind === "size" ? formatSize(value) : value;
}
