import { KEYS } from "./keys.js";
import { DEFAULTS, type SettingKey } from "./settings.js";

/** Whether this is a switch that is on unless it is turned off. */
function isOnByDefault(key: SettingKey): boolean {
  return KEYS[key].kind === "switch" && key !== "data-dir" && DEFAULTS[key] === true;
}

/** The option of a key, without the dashes: `tls-cert`, `insecure`; `no-list` turns off what is on. */
export function flagOf(key: SettingKey): string {
  const name = key.replaceAll(".", "-");
  return isOnByDefault(key) ? `no-${name}` : name;
}

/** What a switch is set to by its option. */
export function flagMeans(key: SettingKey): boolean {
  return !isOnByDefault(key);
}

/** What these variables would be called says to commands which store they use. */
const VARIABLES: ReadonlyMap<SettingKey, string> = new Map([
  ["store", "TVIX_DAEMON_STORE"],
  ["composition", "TVIX_DAEMON_COMPOSITION"],
]);

/** The environment variable of a key: `TVIX_TLS_CERT`. */
export function environmentOf(key: SettingKey): string {
  const own = VARIABLES.get(key);
  if (own !== undefined) return own;
  return `TVIX_${key.replaceAll(/[.-]/g, "_").toUpperCase()}`;
}
