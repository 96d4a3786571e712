import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { MaintenanceService as MaintenanceServiceDesc } from "@tvix/protos/maintenance";
import { StoreError } from "../errors.js";
import type {
  DescribeOptions,
  StoreCheckOptions,
  StoreCheckProgress,
  StoreFigures,
  StoreFinding,
  StoreMaintenance,
} from "../maintenance/store-maintenance.js";
import { connectToStoreError } from "../rpc/error-mapping.js";

const FINDING_TYPES: readonly StoreFinding["type"][] = ["index", "pack", "record", "reference"];

/** {@link StoreMaintenance} of a store behind a daemon of ours. */
export class GrpcStoreMaintenance implements StoreMaintenance {
  readonly #client: Client<typeof MaintenanceServiceDesc>;

  constructor(transport: Transport) {
    this.#client = createClient(MaintenanceServiceDesc, transport);
  }

  async describe({ narBytes = false, signal }: DescribeOptions = {}): Promise<StoreFigures> {
    try {
      const answer = await this.#client.describe({ narBytes }, signal ? { signal } : {});
      return {
        dataDirectory: answer.dataDirectory,
        pathInfos: Number(answer.pathInfos),
        directories: Number(answer.directories),
        chunks: Number(answer.chunks),
        chunkedBlobs: Number(answer.chunkedBlobs),
        packs: Number(answer.packs),
        narBytes: Number(answer.narBytes),
        rawBytes: Number(answer.rawBytes),
        storedBytes: Number(answer.storedBytes),
        diskBytes: Number(answer.diskBytes),
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw connectToStoreError(error, "Cannot ask for the figures of the store");
    }
  }

  async *check(options: StoreCheckOptions = {}): AsyncGenerator<StoreFinding, void, undefined> {
    const { nars = false, signal, onProgress } = options;
    // Whoever stops asking ends the call.
    const ended = new AbortController();
    const signals = signal === undefined ? [ended.signal] : [ended.signal, signal];
    try {
      const events = this.#client.check({ nars }, { signal: AbortSignal.any(signals) });
      for await (const { event } of events) {
        if (event.case === "progress") onProgress?.(progressOf(event.value));
        if (event.case === "finding") yield findingOf(event.value);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw connectToStoreError(error, "Cannot check the store");
    } finally {
      ended.abort();
    }
  }
}

function progressOf(message: {
  readonly records: bigint;
  readonly totalRecords: bigint;
  readonly bytes: bigint;
  readonly totalBytes: bigint;
}): StoreCheckProgress {
  return {
    records: Number(message.records),
    totalRecords: Number(message.totalRecords),
    bytes: Number(message.bytes),
    totalBytes: Number(message.totalBytes),
  };
}

function findingOf(message: {
  readonly type: string;
  readonly pack: string;
  readonly subject: string;
  readonly message: string;
}): StoreFinding {
  const type = FINDING_TYPES.find((known) => known === message.type);
  if (type === undefined) {
    throw new StoreError("CORRUPT", `Cannot check the store: it found an unknown kind of problem`);
  }
  return {
    type,
    ...(message.pack === "" ? {} : { pack: message.pack }),
    ...(message.subject === "" ? {} : { subject: message.subject }),
    message: message.message.replace(CONTROL, escaped),
  };
}

/** What could drive a terminal. */
const CONTROL = /\p{Cc}/gu;

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
