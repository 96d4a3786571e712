import { showAddress } from "@tvix/composition";
import type { z } from "zod";
import { SETTING_KEYS } from "./keys.js";
import { layerSchema, type SettingsLayer } from "./schema.js";
import type { SettingKey } from "./settings.js";

/** The candidate that was probably meant, for "did you mean"; `undefined` when none is near. */
export type Suggest = (typed: string, candidates: Iterable<string>) => string | undefined;

/** What one source of settings says, and what is wrong with it. */
export interface Layer {
  readonly settings: SettingsLayer;
  /** Where each of the settings was found, for people: `TVIX_LISTEN`, `tvix.toml:3`. */
  readonly origins: ReadonlyMap<SettingKey, string>;
  readonly problems: readonly string[];
}

/** How a source speaks of its keys. */
export interface LayerWording {
  /** The key as a person finds it: `--tls-cert`, `tvix.toml:4: tls.cert`. */
  subject(key: string): string;
  /** Where the setting comes from. */
  origin(key: SettingKey): string;
  readonly suggest: Suggest;
}

/** Checks what a source says, key by key. */
export function checkLayer(
  values: Readonly<Record<string, unknown>>,
  wording: LayerWording,
): Layer {
  const result = layerSchema.safeParse(values);
  if (!result.success) {
    const problems = result.error.issues.flatMap((issue) => describe(issue, values, wording));
    return { settings: {}, origins: new Map(), problems };
  }
  const found = SETTING_KEYS.filter((key) => result.data[key] !== undefined);
  const origins = new Map(found.map((key) => [key, wording.origin(key)] as const));
  return { settings: result.data, origins, problems: [] };
}

function describe(
  issue: z.core.$ZodIssue,
  values: Readonly<Record<string, unknown>>,
  wording: LayerWording,
): string[] {
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(key, wording));
  const key = String(issue.path[0]);
  return [`${wording.subject(key)} ${issue.message}, but it is ${show(values[key])}`];
}

function unknownKey(key: string, { subject, suggest }: LayerWording): string {
  const meant = suggest(key, SETTING_KEYS);
  return `${subject(key)} is not a key${meant === undefined ? "" : `: did you mean ${meant}?`}`;
}

/** The longest value that is shown. */
const MAX_SHOWN = 80;

function show(value: unknown): string {
  // An address may hold a password that has no place in it.
  const text =
    typeof value === "string" ? showAddress(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}
