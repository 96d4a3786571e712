import { resolve } from "node:path";
import { ConfigError } from "./config-error.js";
import { readFileLayer } from "./file-layer.js";
import { KEYS, SETTING_KEYS } from "./keys.js";
import { checkLayer, type Layer, type Suggest } from "./layer.js";
import { environmentOf, flagMeans, flagOf } from "./names.js";
import { brokenRules } from "./rules.js";
import type { SettingsLayer } from "./schema.js";
import { DEFAULTS, type SettingKey, type Settings } from "./settings.js";
import { textValue } from "./text-value.js";

/** Names the file, where `--config` does not. */
const CONFIG_VARIABLE = "TVIX_CONFIG";

/** Where settings come from. */
export interface SettingSources {
  /** An option by its name without dashes: its value, `true` for a switch, `undefined` if not given. */
  readonly flag: (name: string) => string | true | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file of `--config`; without, that of `TVIX_CONFIG`, if any. */
  readonly configFile?: string | undefined;
  /** The data directory where neither option, variable nor file names one. */
  readonly defaultDataDirectory: () => string;
  /** For "did you mean". */
  readonly suggest?: Suggest;
}

/** Settings, and where each of them was found. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** For people: `--listen`, `TVIX_LISTEN`, `/etc/tvix.toml:3`; "default" for what nobody set. */
  readonly origins: ReadonlyMap<SettingKey, string>;
  /** Things to tell that are not wrong enough to refuse. */
  readonly warnings: readonly string[];
}

/**
 * Gathers the settings: options before environment before file before defaults.
 *
 * @throws {@link ConfigError} with every broken rule of every source
 */
export function loadSettings(sources: SettingSources): LoadedSettings {
  const suggest = sources.suggest ?? (() => undefined);
  const file = sources.configFile ?? sources.env[CONFIG_VARIABLE];
  if (file === "") throw new ConfigError(["the path of the file is empty"]);
  // From weak to strong.
  const layers = [
    ...(file === undefined ? [] : [readFileLayer(file, suggest)]),
    environmentLayer(sources.env, suggest),
    flagLayer(sources.flag, suggest),
  ];
  const problems = layers.flatMap((layer) => layer.problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const loaded = { ...merge(layers, sources), warnings: strayVariables(sources.env, suggest) };
  const broken = brokenRules(loaded.settings, (key) => loaded.origins.get(key) ?? "default");
  if (broken.length > 0) throw new ConfigError(broken);
  return loaded;
}

function environmentLayer(env: SettingSources["env"], suggest: Suggest): Layer {
  const given = SETTING_KEYS.flatMap((key) => {
    const text = env[environmentOf(key)];
    return text === undefined ? [] : [[key, textValue(key, text)] as const];
  });
  return checkLayer(Object.fromEntries(given), {
    subject: (key) => environmentOf(key as SettingKey),
    origin: environmentOf,
    suggest,
  });
}

function flagLayer(flag: SettingSources["flag"], suggest: Suggest): Layer {
  const given = SETTING_KEYS.flatMap((key) => {
    const text = flag(flagOf(key));
    if (text === undefined) return [];
    return [[key, text === true ? flagMeans(key) : textValue(key, text)] as const];
  });
  return checkLayer(Object.fromEntries(given), {
    subject: (key) => `--${flagOf(key as SettingKey)}`,
    origin: (key) => `--${flagOf(key)}`,
    suggest,
  });
}

function merge(
  layers: readonly Layer[],
  sources: SettingSources,
): Omit<LoadedSettings, "warnings"> {
  const given: SettingsLayer = Object.assign({}, ...layers.map((layer) => layer.settings));
  const dataDirectory = given["data-dir"] ?? sources.defaultDataDirectory();
  const settings = { ...DEFAULTS, "data-dir": dataDirectory, ...present(given) };
  const found = new Map(layers.flatMap((layer) => [...layer.origins]));
  const origins = new Map(SETTING_KEYS.map((key) => [key, found.get(key) ?? "default"]));
  return { settings: withAbsolutePaths(settings), origins };
}

/** Without the keys that are there and `undefined`, which would hide the defaults. */
function present(layer: SettingsLayer): Partial<Settings> {
  const entries = Object.entries(layer).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<Settings>;
}

/** The daemon may not stay in the directory it was started in. */
function withAbsolutePaths(settings: Settings): Settings {
  const paths = SETTING_KEYS.flatMap((key) => {
    const value = settings[key];
    return KEYS[key].kind === "path" && typeof value === "string" ? [[key, resolve(value)]] : [];
  });
  const signingKeys = settings["signing-key"].map((path) => resolve(path));
  return { ...settings, ...Object.fromEntries(paths), "signing-key": signingKeys };
}

/** Variables of other commands. */
const FOREIGN_VARIABLES: ReadonlySet<string> = new Set([
  CONFIG_VARIABLE,
  "TVIX_COMPOSITION",
  "TVIX_DEBUG",
  "TVIX_NO_APT",
  "TVIX_STORE",
  "TVIX_TOKEN_FILE",
]);

/** Variables that look like one of ours, misspelt. */
function strayVariables(env: SettingSources["env"], suggest: Suggest): string[] {
  const ours = SETTING_KEYS.map((key) => environmentOf(key).slice("TVIX_".length));
  return Object.keys(env).flatMap((name) => {
    const [, rest] = /^TVIX_(.+)$/.exec(name) ?? [];
    if (rest === undefined || ours.includes(rest) || FOREIGN_VARIABLES.has(name)) return [];
    const meant = suggest(rest, ours);
    return meant === undefined ? [] : [`${name} is not a setting: did you mean TVIX_${meant}?`];
  });
}
