import type { ServiceKind } from "../service-kind.js";

/** One service as it was written: a table of TOML, or an address. */
export type WrittenService = {
  /** Where that is, for messages: `store.toml: [blobservices.root]`, `option --store`. */
  readonly place: string;
  /** The place of one key of it. */
  placeOf(key: string): string;
} & (
  | { readonly address: string }
  | { readonly type: string; readonly values: Readonly<Record<string, unknown>> }
);

/** Services by their names, for each kind. The entry point is named `root` or, as in tvix, `default`. */
export type CompositionDocument = {
  readonly [K in ServiceKind]: ReadonlyMap<string, WrittenService>;
} & {
  /** Where all of it was written, for messages: a file. */
  readonly origin: string;
  /** Where relative paths begin. */
  readonly directory: string;
};

/** The names of the service that a composition shows to the outside; the first one is preferred. */
export const ENTRY_NAMES: readonly string[] = ["root", "default"];
