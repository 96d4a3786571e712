import { KEYS } from "./keys.js";
import type { SettingKey } from "./settings.js";

/**
 * The value that text of an option or a variable stands for, as it would be in a file. Text that
 * stands for none is left as it is: the schema says what is wrong with it.
 */
export function textValue(key: SettingKey, text: string): unknown {
  switch (KEYS[key].kind) {
    case "switch":
      return SWITCH.get(text) ?? text;
    case "number":
      return /^\d{1,15}$/.test(text) ? Number(text) : text;
    case "list":
    case "paths":
      return text.split(",").map((part) => part.trim());
    case "path":
    case "time":
    case "size":
    case "text":
      return text;
  }
}

const SWITCH: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);
