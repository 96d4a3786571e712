import type { LocalStore } from "@tvix/castore/local";
import type { RpcAddress, RpcChannel, RpcChannelOptions } from "@tvix/grpc";
import type { NarCalculationService, StoreMaintenance } from "@tvix/store";
import type { ServiceAddress } from "../address/service-address.js";
import type { Fields, ServiceReference, SettingsOf } from "../fields/field.js";
import type { ServiceKind, ServiceOf } from "../service-kind.js";

/** A store that has services of all kinds. */
export interface WholeStore {
  /** What tells about the store, and checks it. */
  readonly maintenance?: StoreMaintenance;
  /** What computes NARs where the content is. */
  readonly narCalculation?: NarCalculationService;
  /** Where it is in this process. */
  readonly local?: LocalStore;
}

/** A service, open. */
export interface OpenedService<K extends ServiceKind = ServiceKind> {
  readonly service: ServiceOf[K];
  /** The store that the service is a part of: the same object for each of its services. */
  readonly whole?: WholeStore;
}

/** What a backend may use to open a service. */
export interface OpenContext {
  /** For people, such as `blob service "root"`. */
  readonly label: string;
  /** Opens the service of a reference; each only once, whoever asks. */
  open<K extends ServiceKind>(reference: ServiceReference<K>): Promise<OpenedService<K>>;
  /** The store in a directory, open for reading and writing; each only once. It is closed with the composition. */
  localStore(directory: string): Promise<LocalStore>;
  /** A channel to a server; one for each address and options. It is closed with the composition. */
  channel(address: RpcAddress, options?: RpcChannelOptions): RpcChannel;
  /** The data directory of whoever opens the composition. */
  dataDirectory(): string;
  /** Tells whoever has opened the composition what should be known, in one line. */
  warn(message: string): void;
  /** Has `close` called when the composition is closed: after whatever was opened later. */
  onClose(close: () => void | PromiseLike<void>): void;
}

/**
 * One way to make a service of one kind.
 *
 * @example
 * ```ts
 * registry.register("blobs", {
 *   types: ["bucket"],
 *   schemes: ["bucket"],
 *   fields: { name: text(), prefix: optional(text()) },
 *   fromAddress: ({ authority }) => ({ name: authority }),
 *   open: ({ name, prefix }) => ({ service: new BucketBlobService(name, prefix) }),
 * });
 * ```
 */
export interface Backend<K extends ServiceKind, F extends Fields> {
  /** The values of `type` in a table that mean this backend. The first one is printed. */
  readonly types: readonly [string, ...string[]];
  /** The schemes of addresses that mean this backend; none by default. */
  readonly schemes?: readonly string[];
  /** All keys. Whatever else is written is refused. */
  readonly fields: F;
  /**
   * The keys of the fields that stand before the question mark of an address. The query gives the others.
   * By default nothing may stand there.
   *
   * @throws {@link AddressError}
   */
  fromAddress?(address: ServiceAddress): Readonly<Record<string, unknown>>;
  /** What is wrong with settings that are right each by itself; completes "TABLE ...". */
  rule?(settings: SettingsOf<F>): string | undefined;
  /** Opens the service. Connecting can wait until it is used. */
  open(settings: SettingsOf<F>, context: OpenContext): OpenedService<K> | Promise<OpenedService<K>>;
}
