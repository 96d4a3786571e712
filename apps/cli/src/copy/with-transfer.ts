import type { LocalStoreOptions } from "@tvix/castore/local";
import type { Host, Invocation } from "../command.js";
import { withStore, withStoreAt, writing } from "../store/open.js";
import type { OpenStore } from "../store/open-store.js";
import type { Ends } from "./ends.js";
import { CacheTransfer } from "./from-cache.js";
import { StoreTransfer } from "./from-store.js";
import type { WantedPath } from "./plan.js";
import type { Transfer } from "./transfer.js";

/** What holds for a whole command. */
interface Context {
  readonly invocation: Invocation;
  readonly host: Host;
  readonly jobs: number;
}

/** Opens both ends, lets `work` copy between them, and closes them again. */
export async function withTransfer(
  ends: Ends,
  context: Context,
  work: (transfer: Transfer, wanted: readonly WantedPath[]) => Promise<void>,
): Promise<void> {
  const { invocation, host, jobs } = context;
  const { direction, other, signatures, wanted } = ends;
  const own = (use: (store: OpenStore) => Promise<void>, options: LocalStoreOptions) =>
    withStore(invocation, host, use, options);
  const write = writing(invocation, host);
  if (other.kind === "store") {
    const use = (store: OpenStore, otherStore: OpenStore): Promise<void> =>
      direction === "from"
        ? work(new StoreTransfer(otherStore, store, { signatures, near: "target" }), wanted)
        : work(new StoreTransfer(store, otherStore, { signatures, near: "source" }), wanted);
    const [ownOptions, otherOptions] = direction === "from" ? [write, READ] : [READ, write];
    await own(async (store) => {
      const useOther = (otherStore: OpenStore): Promise<void> => use(store, otherStore);
      await withStoreAt(other.place, invocation, host, useOther, otherOptions);
    }, ownOptions);
    return;
  }
  await own(async (store) => {
    const options = { signatures, concurrency: 2 * jobs };
    await using transfer = new CacheTransfer(other.address, store, options);
    await work(transfer, wanted);
  }, write);
}

const READ: LocalStoreOptions = { readOnly: true, recover: true };
