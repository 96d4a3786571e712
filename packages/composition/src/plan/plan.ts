import type { ServiceReference } from "../fields/field.js";
import type { RegisteredBackend } from "../registry/backend-registry.js";
import type { ServiceKind } from "../service-kind.js";

/** One service of a plan: what was written, checked. */
export interface PlannedService<K extends ServiceKind = ServiceKind> extends ServiceReference<K> {
  /** The name of its table; `undefined` where an address stands for it. */
  readonly name: string | undefined;
  /** Where it was written. */
  readonly place: string;
  readonly backend: RegisteredBackend<K>;
  /** What was written, by field. */
  readonly values: Readonly<Record<string, unknown>>;
  /** What that means. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A composition that was checked: every service has a backend, and every reference leads to a service. */
export type CompositionPlan = {
  /** The entry points. */
  readonly [K in ServiceKind]: PlannedService<K>;
} & {
  /** Every service that has a name, reachable or not. */
  readonly named: readonly PlannedService[];
};
