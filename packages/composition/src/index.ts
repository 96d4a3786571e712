/**
 * Stores put together from others: addresses, compositions in TOML, and a registry of backends that
 * anybody can add to.
 *
 * @module
 */
export {
  AddressError,
  filePathOf,
  parseServiceAddress,
  type ServiceAddress,
} from "./address/service-address.js";
export { showAddress } from "./address/show-address.js";
export { defaultRegistry } from "./backends/default-registry.js";
export { CompositionError, type CompositionErrorReason } from "./composition-error.js";
export { composeAddresses, type WrittenAddress } from "./document/compose-addresses.js";
export type { CompositionDocument, WrittenService } from "./document/composition-document.js";
export { parseComposition } from "./document/parse-composition.js";
export { type StoreAddresses, storeAddresses } from "./document/store-addresses.js";
export {
  type Field,
  type FieldContext,
  FieldError,
  type Fields,
  type ServiceReference,
  type SettingsOf,
} from "./fields/field.js";
export {
  alias,
  checked,
  choice,
  count,
  defaulted,
  flag,
  listOf,
  optional,
  path,
  secret,
  service,
  services,
  size,
  text,
  time,
} from "./fields/fields.js";
export {
  type Composition,
  type OpenCompositionOptions,
  openComposition,
} from "./open/open-composition.js";
export { StoreResources, type StoreResourcesOptions } from "./open/store-resources.js";
export type { CompositionPlan, PlannedService } from "./plan/plan.js";
export { planComposition, type Suggest } from "./plan/plan-composition.js";
export { printComposition } from "./print/print-composition.js";
export { formatSize, formatTime, parseSize, parseTime } from "./quantities.js";
export type { Backend, OpenContext, OpenedService, WholeStore } from "./registry/backend.js";
export { BackendRegistry, type RegisteredBackend } from "./registry/backend-registry.js";
export type { ServiceKind, ServiceOf } from "./service-kind.js";
