import type { CallOptions } from "@tvix/castore";
import type { LocalStore } from "@tvix/castore/local";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { checkPathInfos } from "./check-path-infos.js";
import type {
  DescribeOptions,
  StoreCheckOptions,
  StoreFigures,
  StoreFinding,
  StoreMaintenance,
} from "./store-maintenance.js";

/** The store of a data directory, open. */
export interface LocalStoreParts {
  readonly directory: string;
  readonly local: LocalStore;
  readonly pathInfos: PathInfoService;
}

/** {@link StoreMaintenance} of the local store. */
export class LocalStoreMaintenance implements StoreMaintenance {
  readonly #store: LocalStoreParts;

  constructor(store: LocalStoreParts) {
    this.#store = store;
  }

  async describe(options: DescribeOptions = {}): Promise<StoreFigures> {
    const { directory, local } = this.#store;
    const narBytes = options.narBytes === true ? await this.#narBytes(options) : 0;
    return { dataDirectory: directory, narBytes, ...(await local.stats()) };
  }

  async #narBytes(options: CallOptions): Promise<number> {
    let sum = 0;
    for await (const { narSize } of this.#store.pathInfos.list(options)) sum += Number(narSize);
    return sum;
  }

  async *check(options: StoreCheckOptions = {}): AsyncGenerator<StoreFinding, void, undefined> {
    const { local, pathInfos } = this.#store;
    yield* local.check(options);
    const outputHashes = async function* (call: CallOptions) {
      for await (const { key } of local.pathInfoRecords.list(call)) yield key;
    };
    yield* checkPathInfos(
      { castore: local, pathInfos, outputHashes },
      { ...options, nars: options.nars ?? false },
    );
  }
}
