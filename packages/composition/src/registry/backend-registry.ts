import { assertOnlyQuery, type ServiceAddress } from "../address/service-address.js";
import type { Fields, SettingsOf } from "../fields/field.js";
import { NAME_OF_KIND, SERVICE_KINDS, type ServiceKind } from "../service-kind.js";
import type { Backend, OpenContext, OpenedService } from "./backend.js";

/** A backend as the registry keeps it, whatever its fields. */
export interface RegisteredBackend<K extends ServiceKind = ServiceKind> {
  readonly type: string;
  readonly fields: Fields;
  /** The values of the fields that an address gives. @throws {@link AddressError} */
  valuesOf(address: ServiceAddress): Readonly<Record<string, unknown>>;
  /** What is wrong with settings as a whole. @param settings - what the fields have parsed */
  rule(settings: Readonly<Record<string, unknown>>): string | undefined;
  /** @param settings - what the fields have parsed */
  open(
    settings: Readonly<Record<string, unknown>>,
    context: OpenContext,
  ): Promise<OpenedService<K>>;
}

/** The backends that compositions may use, by `type` and by scheme. */
export class BackendRegistry {
  readonly #types = emptyTables();
  readonly #schemes = emptyTables();

  /**
   * Adds a backend.
   *
   * @throws TypeError when one of its types or schemes is taken
   */
  register<K extends ServiceKind, F extends Fields>(kind: K, backend: Backend<K, F>): this {
    const registered = erase(backend);
    add(this.#types[kind], backend.types, registered, `type of a ${NAME_OF_KIND[kind]}`);
    add(
      this.#schemes[kind],
      backend.schemes ?? [],
      registered,
      `scheme of a ${NAME_OF_KIND[kind]}`,
    );
    return this;
  }

  /** The backend of a `type`. */
  ofType<K extends ServiceKind>(kind: K, type: string): RegisteredBackend<K> | undefined {
    return this.#types[kind].get(type);
  }

  /** The backend of a scheme. */
  ofScheme<K extends ServiceKind>(kind: K, scheme: string): RegisteredBackend<K> | undefined {
    return this.#schemes[kind].get(scheme);
  }

  /** All types of a kind. */
  types(kind: ServiceKind): readonly string[] {
    return [...this.#types[kind].keys()];
  }

  /** All schemes of a kind. */
  schemes(kind: ServiceKind): readonly string[] {
    return [...this.#schemes[kind].keys()];
  }

  /** Whether any kind of service has the scheme. */
  knowsScheme(scheme: string): boolean {
    return SERVICE_KINDS.some((kind) => this.#schemes[kind].has(scheme));
  }
}

type Tables = { readonly [K in ServiceKind]: Map<string, RegisteredBackend<K>> };

function emptyTables(): Tables {
  return { blobs: new Map(), directories: new Map(), pathInfos: new Map() };
}

function add<K extends ServiceKind>(
  table: Map<string, RegisteredBackend<K>>,
  names: readonly string[],
  backend: RegisteredBackend<K>,
  what: string,
): void {
  for (const name of names) {
    if (table.has(name)) throw new TypeError(`"${name}" is a ${what} already`);
    table.set(name, backend);
  }
}

function erase<K extends ServiceKind, F extends Fields>(
  backend: Backend<K, F>,
): RegisteredBackend<K> {
  return {
    type: backend.types[0],
    fields: backend.fields,
    valuesOf: (address) => {
      if (backend.fromAddress !== undefined) return backend.fromAddress(address);
      assertOnlyQuery(address);
      return {};
    },
    rule: (settings) => backend.rule?.(settings as SettingsOf<F>),
    // The planner has parsed every field of this very backend.
    open: async (settings, context) => await backend.open(settings as SettingsOf<F>, context),
  };
}
