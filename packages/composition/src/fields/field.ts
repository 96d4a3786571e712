import type { ServiceKind } from "../service-kind.js";

/** Names a service that was written: handed to {@link OpenContext.open}, it leads to the service. */
export interface ServiceReference<K extends ServiceKind = ServiceKind> {
  readonly kind: K;
  /** For people: the name of its table, or its address. */
  readonly label: string;
}

/** What a field may need to know of its surroundings. */
export interface FieldContext {
  /** The path that a relative one stands for. */
  resolvePath(path: string): string;
  /**
   * The service that `text` names: `name` or `&name` of a table, or an address.
   *
   * @throws {@link FieldError} when there is none
   */
  reference<K extends ServiceKind>(kind: K, text: string): ServiceReference<K>;
}

/** A value that a field does not take. The message completes "KEY ...". */
export class FieldError extends Error {
  override readonly name: string = "FieldError";
}

/** A key of a table, or of the query of an address, and what values it takes. */
export interface Field<T> {
  /**
   * The value that was written: a value of TOML, or the text from an address.
   *
   * @param value - never `undefined` unless the field is optional
   * @throws {@link FieldError}
   */
  parse(value: unknown, context: FieldContext): T;
  readonly isOptional: boolean;
  /** Not to be shown. */
  readonly isSecret?: boolean;
  /** Other names of the key. */
  readonly aliases?: readonly string[];
}

/** The keys of a backend. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What the fields of a backend amount to. */
export type SettingsOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};
