import { readFileSync } from "node:fs";
import type { LocalStore } from "@tvix/castore/local";
import {
  type Composition,
  type CompositionDocument,
  CompositionError,
  composeAddresses,
  defaultRegistry,
  openComposition,
  parseComposition,
  planComposition,
  StoreResources,
  storeAddresses,
} from "@tvix/composition";
import { ConfigError } from "../config/config-error.js";
import type { Settings } from "../config/settings.js";
import { unreadable } from "../config/unreadable.js";

/** What opening may use. */
export interface ComposedHost {
  /** Opens the store of another directory than that of the settings. */
  readonly openLocal: (directory: string) => Promise<LocalStore>;
  /** Is told in one line what should be known. */
  readonly warn: (message: string) => void;
}

/**
 * Opens what the settings say to serve in the place of the data directory.
 *
 * @param local - the store of the data directory, which `local:` means; it stays open
 * @returns `undefined` when they say nothing
 * @throws {@link ConfigError} for what cannot be used
 */
export async function openComposed(
  settings: Settings,
  local: LocalStore,
  { openLocal, warn }: ComposedHost,
): Promise<Composition | undefined> {
  const registry = defaultRegistry();
  const directory = settings["data-dir"];
  try {
    const document = documentOf(settings);
    if (document === undefined) return undefined;
    return await openComposition(planComposition(document, registry), {
      resources: new StoreResources({ openLocal, lent: new Map([[directory, local]]) }),
      dataDirectory: () => directory,
      warn,
    });
  } catch (error) {
    if (!(error instanceof CompositionError)) throw error;
    throw new ConfigError(error.problems, { cause: error });
  }
}

function documentOf(settings: Settings): CompositionDocument | undefined {
  const { store, composition } = settings;
  if (composition !== undefined) {
    return parseComposition(readText(composition), composition, defaultRegistry());
  }
  if (store === undefined) return undefined;
  const addresses = storeAddresses({ address: store, place: "store" }, defaultRegistry());
  return composeAddresses(addresses, settings["data-dir"]);
}

function readText(file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    throw new ConfigError([`composition: ${unreadable(file, cause)}`], { cause });
  }
}
