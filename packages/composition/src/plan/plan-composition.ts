import { resolve } from "node:path";
import { AddressError, parseServiceAddress } from "../address/service-address.js";
import { showAddress } from "../address/show-address.js";
import { CompositionError } from "../composition-error.js";
import {
  type CompositionDocument,
  ENTRY_NAMES,
  type WrittenService,
} from "../document/composition-document.js";
import { type Field, FieldError, type ServiceReference } from "../fields/field.js";
import type { BackendRegistry, RegisteredBackend } from "../registry/backend-registry.js";
import { NAME_OF_KIND, SERVICE_KINDS, type ServiceKind, TABLE_OF_KIND } from "../service-kind.js";

import type { CompositionPlan, PlannedService } from "./plan.js";

/** The candidate that was probably meant, for "did you mean"; `undefined` when none is near. */
export type Suggest = (typed: string, candidates: Iterable<string>) => string | undefined;

/**
 * Checks a composition against the backends that there are. Nothing is opened.
 *
 * @throws {@link CompositionError} with everything that is wrong, each with its place
 */
export function planComposition(
  document: CompositionDocument,
  registry: BackendRegistry,
  suggest: Suggest = () => undefined,
): CompositionPlan {
  return new Planner(document, registry, suggest).plan();
}

/** How deep addresses may stand inside addresses. */
const MAX_DEPTH = 16;

/** A service that is being planned, for the message about a circle. */
interface UnderWay {
  readonly key: string;
  readonly label: string;
}

class Planner {
  readonly #document: CompositionDocument;
  readonly #registry: BackendRegistry;
  readonly #suggest: Suggest;
  readonly #problems: string[] = [];
  /** `undefined` for what is broken: that was said where it is written. */
  readonly #planned = new Map<string, PlannedService | undefined>();
  readonly #underWay: UnderWay[] = [];

  constructor(document: CompositionDocument, registry: BackendRegistry, suggest: Suggest) {
    this.#document = document;
    this.#registry = registry;
    this.#suggest = suggest;
  }

  plan(): CompositionPlan {
    const named = SERVICE_KINDS.flatMap((kind) =>
      [...this.#document[kind].keys()].map((name) => this.#named(kind, name)),
    );
    const blobs = this.#entry("blobs");
    const directories = this.#entry("directories");
    const pathInfos = this.#entry("pathInfos");
    const isWhole = blobs !== undefined && directories !== undefined && pathInfos !== undefined;
    if (this.#problems.length > 0 || !isWhole) {
      throw new CompositionError("invalid", [...new Set(this.#problems)]);
    }
    return {
      blobs,
      directories,
      pathInfos,
      named: named.filter((service) => service !== undefined),
    };
  }

  #entry<K extends ServiceKind>(kind: K): PlannedService<K> | undefined {
    const name = ENTRY_NAMES.find((candidate) => this.#document[kind].has(candidate));
    if (name !== undefined) return this.#named(kind, name);
    const table = TABLE_OF_KIND[kind];
    this.#problems.push(
      `${this.#document.origin}: there is no [${table}.root], the ${NAME_OF_KIND[kind]} to be used`,
    );
    return undefined;
  }

  #named<K extends ServiceKind>(kind: K, name: string): PlannedService<K> | undefined {
    const written = this.#document[kind].get(name);
    if (written === undefined) return undefined;
    const label = `${TABLE_OF_KIND[kind]}.${name}`;
    return this.#once(`${kind} &${name}`, label, () =>
      this.#planWritten(kind, written, label, name),
    );
  }

  /** Plans each service once, and finds circles. @throws {@link FieldError} for a circle */
  #once<K extends ServiceKind>(
    key: string,
    label: string,
    plan: () => PlannedService<K> | undefined,
  ): PlannedService<K> | undefined {
    const begin = this.#underWay.findIndex((other) => other.key === key);
    if (begin >= 0) {
      const circle = [...this.#underWay.slice(begin).map((other) => other.label), label];
      throw new FieldError(`leads in a circle: ${circle.join(" -> ")}`);
    }
    // The key holds the kind.
    if (this.#planned.has(key)) return this.#planned.get(key) as PlannedService<K> | undefined;
    this.#underWay.push({ key, label });
    const planned = plan();
    this.#underWay.pop();
    this.#planned.set(key, planned);
    return planned;
  }

  #planWritten<K extends ServiceKind>(
    kind: K,
    written: WrittenService,
    label: string,
    name: string | undefined,
  ): PlannedService<K> | undefined {
    if ("address" in written) return this.#planAddress(kind, written, label, name);
    const backend = this.#registry.ofType(kind, written.type);
    if (backend === undefined) {
      this.#problems.push(
        `${written.placeOf("type")} ${this.#noSuch(`type of a ${NAME_OF_KIND[kind]}`, written.type, this.#registry.types(kind))}`,
      );
      return undefined;
    }
    return this.#planValues(kind, backend, written.values, { written, label, name });
  }

  #planAddress<K extends ServiceKind>(
    kind: K,
    written: WrittenService & { readonly address: string },
    label: string,
    name: string | undefined,
  ): PlannedService<K> | undefined {
    const { address } = written;
    try {
      const { backend, values } = this.#readAddress(kind, address);
      return this.#planValues(kind, backend, values, {
        // A key of an address has no place of its own.
        written: {
          ...written,
          placeOf: (key) => `${written.place}: ${showAddress(address)}: ${key}`,
        },
        label,
        name,
      });
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      this.#problems.push(`${written.place}: ${showAddress(address)}: ${error.problem}`);
      return undefined;
    }
  }

  /** @throws {@link AddressError} */
  #readAddress<K extends ServiceKind>(
    kind: K,
    text: string,
  ): { backend: RegisteredBackend<K>; values: Readonly<Record<string, unknown>> } {
    const address = parseServiceAddress(text);
    const { scheme, query } = address;
    const backend = this.#registry.ofScheme(kind, scheme);
    if (backend === undefined) {
      const known = this.#registry.schemes(kind);
      const other = this.#registry.knowsScheme(scheme) ? ", though other services have it" : "";
      const problem = `${this.#noSuch(`scheme of a ${NAME_OF_KIND[kind]}`, scheme, known)}${other}`;
      throw new AddressError(text, problem);
    }
    const values = backend.valuesOf(address);
    const twice = [...query.keys()].find((key) => Object.hasOwn(values, key));
    if (twice !== undefined) {
      throw new AddressError(
        text,
        `key ${JSON.stringify(twice)} is given before the question mark`,
      );
    }
    return { backend, values: { ...values, ...Object.fromEntries(query) } };
  }

  #planValues<K extends ServiceKind>(
    kind: K,
    backend: RegisteredBackend<K>,
    written: Readonly<Record<string, unknown>>,
    of: {
      readonly written: WrittenService;
      readonly label: string;
      readonly name: string | undefined;
    },
  ): PlannedService<K> | undefined {
    const before = this.#problems.length;
    const values = this.#knownValues(backend, written, of.written);
    const entries = Object.entries(backend.fields).map(([key, field]) => [
      key,
      this.#parseField(key, field, values[key], of.written),
    ]);
    if (this.#problems.length > before) return undefined;
    const settings: Readonly<Record<string, unknown>> = Object.fromEntries(entries);
    // A broken service was reported where it is written; what leads to it cannot be opened either.
    if (Object.values(settings).flat().includes(BROKEN)) return undefined;
    const { label, name } = of;
    const broken = backend.rule(settings);
    if (broken !== undefined) {
      this.#problems.push(`${of.written.place} ${broken}`);
      return undefined;
    }
    return { kind, label, name, place: of.written.place, backend, values, settings };
  }

  /** What was written, under the first names of the fields. */
  #knownValues(
    { fields }: RegisteredBackend,
    written: Readonly<Record<string, unknown>>,
    { placeOf }: WrittenService,
  ): Readonly<Record<string, unknown>> {
    const names = new Map(
      Object.entries(fields).flatMap(([key, { aliases = [] }]) =>
        [key, ...aliases].map((name) => [name, key] as const),
      ),
    );
    const values: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(written)) {
      const key = names.get(name);
      if (key === undefined) {
        this.#problems.push(
          `${placeOf(name)} is no key here: ${this.#hint(name, Object.keys(fields))}`,
        );
      } else if (Object.hasOwn(values, key)) {
        this.#problems.push(`${placeOf(name)} is another name of ${key}, which is there too`);
      } else values[key] = value;
    }
    return values;
  }

  #parseField(
    key: string,
    field: Field<unknown>,
    value: unknown,
    { placeOf }: WrittenService,
  ): unknown {
    if (value === undefined && !field.isOptional) {
      this.#problems.push(`${placeOf(key)} is missing`);
      return undefined;
    }
    const place = placeOf(key);
    try {
      return field.parse(value, {
        resolvePath: (path) => resolve(this.#document.directory, path),
        reference: (kind, text) => this.#reference(kind, text, place),
      });
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      const problem = field.isSecret === true ? "is not what it must be" : error.message;
      this.#problems.push(`${place} ${problem}`);
      return undefined;
    }
  }

  #reference<K extends ServiceKind>(kind: K, text: string, place: string): ServiceReference<K> {
    const isAddress = !text.startsWith("&") && text.includes(":");
    const planned = isAddress
      ? this.#anonymous(kind, text, place)
      : this.#namedReference(kind, text.replace(/^&/, ""));
    // The type parameter is that of a value which is never opened.
    return planned ?? (BROKEN as ServiceReference<ServiceKind> as ServiceReference<K>);
  }

  #anonymous<K extends ServiceKind>(
    kind: K,
    address: string,
    place: string,
  ): PlannedService<K> | undefined {
    if (this.#underWay.length > MAX_DEPTH) throw new FieldError("has too many services inside it");
    const written: WrittenService = { address, place, placeOf: () => place };
    return this.#once(`${kind} ${address}`, showAddress(address), () =>
      this.#planAddress(kind, written, showAddress(address), undefined),
    );
  }

  #namedReference<K extends ServiceKind>(kind: K, name: string): PlannedService<K> | undefined {
    const names = this.#document[kind];
    // The entry point goes by both of its names.
    const found =
      names.has(name) || !ENTRY_NAMES.includes(name) ? name : ENTRY_NAMES.find((n) => names.has(n));
    if (found !== undefined && names.has(found)) return this.#named(kind, found);
    throw new FieldError(
      `names a ${NAME_OF_KIND[kind]} that is not there, ${JSON.stringify(name)}: ${this.#hint(name, names.keys())}`,
    );
  }

  #noSuch(what: string, typed: string, known: Iterable<string>): string {
    return `${JSON.stringify(typed)} is no ${what}: ${this.#hint(typed, known)}`;
  }

  #hint(typed: string, known: Iterable<string>): string {
    const list = [...known];
    const meant = this.#suggest(typed, list);
    if (meant !== undefined) return `did you mean ${meant}?`;
    return `there ${list.length === 1 ? "is" : "are"} ${list.join(", ") || "none"}`;
  }
}

/** Stands for a service that is broken, in settings that are thrown away. */
const BROKEN: ServiceReference = { kind: "blobs", label: "" };
