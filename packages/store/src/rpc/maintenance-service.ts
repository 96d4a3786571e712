import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { answer, answerStream, type RpcOptions } from "@tvix/castore/rpc";
import {
  type CheckRequest,
  MaintenanceService as MaintenanceServiceDesc,
} from "@tvix/protos/maintenance";
import type { StoreCheckProgress, StoreMaintenance } from "../maintenance/store-maintenance.js";
import { isCodedError } from "./error-mapping.js";

/** Serves `maintenance` as the MaintenanceService, an addition of ours. */
export function registerMaintenanceService(
  router: ConnectRouter,
  maintenance: StoreMaintenance,
  options: RpcOptions = {},
): void {
  const policy = { ...options, mapping: { isCoded: isCodedError } };
  router.service(MaintenanceServiceDesc, {
    describe: ({ narBytes }, context) =>
      answer(context, policy, async () => {
        const figures = await maintenance.describe({ narBytes, signal: context.signal });
        return {
          dataDirectory: figures.dataDirectory,
          pathInfos: BigInt(figures.pathInfos),
          directories: BigInt(figures.directories),
          chunks: BigInt(figures.chunks),
          chunkedBlobs: BigInt(figures.chunkedBlobs),
          packs: BigInt(figures.packs),
          narBytes: BigInt(figures.narBytes),
          rawBytes: BigInt(figures.rawBytes),
          storedBytes: BigInt(figures.storedBytes),
          diskBytes: BigInt(figures.diskBytes),
        };
      }),
    check: (request, context) =>
      answerStream(context, policy, checkEvents(maintenance, request, context)),
  });
}

/** Findings as they come, and before each, and at the end, the newest word on the progress. */
async function* checkEvents(
  maintenance: StoreMaintenance,
  { nars }: CheckRequest,
  { signal }: HandlerContext,
) {
  const reports = new Reports();
  const findings = maintenance
    .check({ nars, signal, onProgress: (progress) => reports.offer(progress) })
    [Symbol.asyncIterator]();
  try {
    for (let next = findings.next(); ; ) {
      const progress = await reports.orDone(next);
      if (progress !== undefined) {
        yield { event: { case: "progress" as const, value: progressMessage(progress) } };
        continue;
      }
      const { done, value } = await next;
      if (done === true) return;
      yield { event: { case: "finding" as const, value: value } };
      next = findings.next();
    }
  } finally {
    await findings.return?.();
  }
}

function progressMessage(progress: StoreCheckProgress) {
  const { records, totalRecords, bytes, totalBytes } = progress;
  return {
    records: BigInt(records),
    totalRecords: BigInt(totalRecords),
    bytes: BigInt(bytes),
    totalBytes: BigInt(totalBytes),
  };
}

/** The newest report of progress; those that nobody took in time are forgotten. */
class Reports {
  #newest: StoreCheckProgress | undefined;
  #wake = (): void => {};

  offer(progress: StoreCheckProgress): void {
    this.#newest = progress;
    this.#wake();
  }

  /** @returns the newest report, `undefined` once `step` is done and there is none */
  async orDone(step: Promise<unknown>): Promise<StoreCheckProgress | undefined> {
    if (this.#newest === undefined) {
      const offered = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      // How the step ends is for whoever awaits it.
      await Promise.race([
        offered,
        step.then(
          () => {},
          () => {},
        ),
      ]);
    }
    const newest = this.#newest;
    this.#newest = undefined;
    return newest;
  }
}
