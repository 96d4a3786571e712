import { LocalStore } from "@tvix/castore/local";
import {
  formatRpcAddress,
  openRpcChannel,
  type RpcAddress,
  type RpcChannel,
  type RpcChannelOptions,
} from "@tvix/grpc";
import { Closers } from "./closers.js";

export interface StoreResourcesOptions {
  /** Stores that are open already, by their directories; not closed here. */
  readonly lent?: ReadonlyMap<string, LocalStore>;
  /** Opens the store in a directory, for reading and writing. `LocalStore.open()` by default. */
  readonly openLocal?: (directory: string) => Promise<LocalStore>;
  /** Options of the channel to an address, such as a token, where the composition says nothing else. */
  readonly channelOptions?: (address: string) => RpcChannelOptions;
  /** How long one of them may take to close, in milliseconds; 10,000 by default. */
  readonly closeMs?: number;
}

/**
 * A server that is down is asked again soon: other stores may have the answer, and who waits for it to come back is a
 * person.
 */
const PATIENCE: RpcChannelOptions = { connectTimeoutMs: 5000, maxBackoffMs: 500 };

/** What several services share: one store for each directory, one channel for each server. */
export class StoreResources {
  readonly #options: StoreResourcesOptions;
  readonly #locals = new Map<string, Promise<LocalStore>>();
  readonly #channels = new Map<string, RpcChannel>();
  readonly #localClosers: Closers;

  constructor(options: StoreResourcesOptions = {}) {
    this.#options = options;
    this.#localClosers = new Closers(options.closeMs);
  }

  /** The store in a directory, opened by the first who asks. @param directory - absolute */
  localStore(directory: string): Promise<LocalStore> {
    let opening = this.#locals.get(directory);
    if (opening === undefined) {
      opening = this.#openLocal(directory);
      this.#locals.set(directory, opening);
    }
    return opening;
  }

  /** The channel to a server, opened by the first who asks with such options. */
  channel(address: RpcAddress, options?: RpcChannelOptions): RpcChannel {
    const text = formatRpcAddress(address);
    const key = `${text} ${JSON.stringify(options ?? {})}`;
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      const own = options?.token === undefined ? this.#options.channelOptions?.(text) : undefined;
      channel = openRpcChannel(address, { ...PATIENCE, ...own, ...options });
      this.#channels.set(key, channel);
    }
    return channel;
  }

  /**
   * Ends all calls, then closes the stores, whose writes are durable then.
   *
   * @throws what failed first; everything is closed then, too
   */
  async close(): Promise<void> {
    const closers = new Closers(this.#options.closeMs);
    // The last is closed first: nobody waits for a server while the stores close.
    closers.add(() => this.#localClosers.closeAll());
    for (const channel of this.#channels.values()) closers.add(() => channel.close());
    this.#channels.clear();
    await closers.closeAll();
  }

  async #openLocal(directory: string): Promise<LocalStore> {
    const lent = this.#options.lent?.get(directory);
    if (lent !== undefined) return lent;
    const open = this.#options.openLocal ?? ((path) => LocalStore.open(path));
    const local = await open(directory);
    this.#localClosers.add(() => local.close());
    return local;
  }
}
